/* Runs a target over files, without libFuzzer, behind a wall: after all inputs are read nothing may be opened, executed or
 * connected any more; an input that tries kills the process. runner FILE... prints the number of inputs. */
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_MAX_BYTES = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv); /* a target's, where it has one */
const char *__asan_default_options(void);

/* The leak check at exit opens files, and behind the wall it would wait for ever; libFuzzer's run looks for leaks. */
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

struct input {
    uint8_t *bytes; /* of its exact size, so that a sanitizer sees a byte too far */
    size_t size;
};

static int read_input(const char *path, struct input *ret)
{
    static uint8_t buffer[INPUT_MAX_BYTES];
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return -1;
    ret->size = fread(buffer, 1, sizeof buffer, file);
    int failed = ferror(file);
    if (fclose(file) != 0 || failed)
        return -1;
    ret->bytes = malloc(ret->size > 0 ? ret->size : 1);
    if (ret->bytes == NULL)
        return -1;
    memcpy(ret->bytes, buffer, ret->size);
    return 0;
}

/* Everything stays allowed but what reaches a file, a command or the network. */
static int wall(void)
{
    static const int forbidden[] = {
        SCMP_SYS(open),   SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(creat),  SCMP_SYS(execve), SCMP_SYS(execveat),
        SCMP_SYS(fork),   SCMP_SYS(vfork),  SCMP_SYS(socket),  SCMP_SYS(connect), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
        SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(kill),
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int r = filter == NULL ? -1 : 0;
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0] && r == 0; i++)
        r = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, forbidden[i], 0);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

int main(int argc, char **argv)
{
    struct input *inputs = calloc((size_t)argc, sizeof *inputs);
    if (inputs == NULL)
        return 1;
    for (int i = 1; i < argc; i++) {
        if (read_input(argv[i], &inputs[i]) != 0) {
            perror(argv[i]);
            return 1;
        }
    }
    if (LLVMFuzzerInitialize != NULL && LLVMFuzzerInitialize(&argc, &argv) != 0)
        return 1;
    if (setenv("TZ", "UTC0", 1) != 0)
        return 1;
    tzset(); /* the zone's file is read here, and never again */
    if (wall() != 0) {
        (void)fprintf(stderr, "runner: the kernel takes no seccomp filter\n");
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        if (LLVMFuzzerTestOneInput(inputs[i].bytes, inputs[i].size) != 0)
            return 1;
        free(inputs[i].bytes);
    }
    free(inputs);
    return printf("%d inputs\n", argc - 1) < 0;
}
