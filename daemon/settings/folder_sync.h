/* A new name on the disk. For whoever makes or replaces a file: settings/ and qrgatectl. */
#ifndef SETTINGS_FOLDER_SYNC_H
#define SETTINGS_FOLDER_SYNC_H

/* Waits until the folder in which `path` is named is on the disk: only then is a new name sure to outlive a power cut. 0 or
 * negative errno. */
int folder_sync(const char *path);

#endif
