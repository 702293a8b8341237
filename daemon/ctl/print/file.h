/* A file that appears whole or not at all, for its owner alone: what is printed carries names, or lets people in. */
#ifndef CTL_PRINT_FILE_H
#define CTL_PRINT_FILE_H

#include <stdio.h>

/* Writes the file's contents; 0 or negative errno. */
typedef int print_write(FILE *out, void *userdata);
/* An old file of that name is replaced. 0 or negative errno. */
int print_file(const char *path, print_write *write_it, void *userdata);

#endif
