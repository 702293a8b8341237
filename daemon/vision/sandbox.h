/* The walls around the eye. Called by eye.c: sandbox_shed() before the camera is opened, sandbox_enter() after. */
#ifndef VISION_SANDBOX_H
#define VISION_SANDBOX_H

#include <stdbool.h>

/* Closes every descriptor but 0-2 and keep_fd, dies with its parent, can't be traced or dumped, gains no privileges, is
 * bounded in memory. 0 or a negative errno. */
int sandbox_shed(int keep_fd);

/* From here on only what the loop needs: any other system call kills the process (SIGSYS). `reads_files` is for the
 * replay camera, which opens pictures for reading; a real camera gets its video ioctls in its stead. 0; -ENOTSUP:
 * built with a sanitizer, which needs more calls than this allows, so nothing was done; -ENOSYS: the kernel has no
 * seccomp; or another negative errno. */
int sandbox_enter(int link_fd, bool reads_files);

#endif
