/* The eye as a process: what it tells over its link, how it ends, and what its sandbox lets it do. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/vision/eye.h"
#include "daemon/vision/link.h"
#include "daemon/vision/reader.h"
#include "daemon/vision/sandbox.h"
#include "hw/decoder.h"
#include "tests/unit/qr_picture.h"

enum { WIDTH = 320, HEIGHT = 240, PATIENCE_MS = 5000 };

struct place {
    char folder[64];
    struct eye_settings settings;
    pid_t pid;
    int fd; /* main's end of the link */
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    if (!place)
        return -1;
    strcpy(place->folder, "/tmp/test_eye.XXXXXX");
    if (!mkdtemp(place->folder))
        return -1;
    place->fd = -1;
    place->settings.camera = EYE_CAMERA_REPLAY;
    place->settings.replay = (struct camera_replay_settings){
        .width_px = WIDTH, .height_px = HEIGHT, .rate_fps = 30, .hold_ms = 60000, .gap_ms = 100};
    strcpy(place->settings.replay.folder, place->folder);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    char command[128];
    if (place->pid > 0) {
        kill(place->pid, SIGKILL);
        waitpid(place->pid, NULL, 0);
    }
    if (place->fd >= 0)
        close(place->fd);
    snprintf(command, sizeof command, "rm -rf '%s'", place->folder);
    const int result = system(command);
    free(place);
    return result;
}

static void put_code(const struct place *place, const char *name, const char *payload)
{
    struct qr_picture picture = qr_centred(qr_bytes(payload, strlen(payload)), WIDTH, HEIGHT, 6);
    qr_write_pgm(&picture, place->folder, name);
    free(picture.luma);
}

/* As put_code(), with a thumb on the corner that has no square: it can be told that there is a code, and no more. */
static void put_covered_code(const struct place *place, const char *name, const char *payload)
{
    struct qr_picture picture = qr_centred(qr_bytes(payload, strlen(payload)), WIDTH, HEIGHT, 6);
    for (int y = HEIGHT / 2; y < HEIGHT; y++)
        memset(picture.luma + y * WIDTH + WIDTH / 2, 128, WIDTH / 2);
    qr_write_pgm(&picture, place->folder, name);
    free(picture.luma);
}

static void start(struct place *place, int send_buffer_bytes)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    if (send_buffer_bytes)
        assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes), 0);
    place->pid = fork();
    assert_true(place->pid >= 0);
    if (place->pid == 0)
        _exit(eye_run(&place->settings, pair[1]));
    close(pair[1]);
    place->fd = pair[0];
}

/* The next message that main would believe; false: none within the time, or the link was closed. */
static bool receive(struct place *place, struct link_message *message, int64_t until_ms)
{
    const int64_t left_ms = until_ms - now_ms();
    struct pollfd waiting = {.fd = place->fd, .events = POLLIN};
    if (poll(&waiting, 1, left_ms > 0 ? (int)left_ms : 0) <= 0)
        return false;
    const ssize_t got = recv(place->fd, message, sizeof *message, 0);
    if (got <= 0)
        return false;
    assert_true(link_check(message, (size_t)got));
    return true;
}

static bool is_payload(const struct link_message *message, const char *payload)
{
    return message->kind == LINK_SEEN && message->length_bytes == strlen(payload) &&
           memcmp(message->payload, payload, message->length_bytes) == 0;
}

static bool wait_for(struct place *place, const char *payload, struct link_message *message)
{
    const int64_t until_ms = now_ms() + PATIENCE_MS;
    while (receive(place, message, until_ms))
        if (is_payload(message, payload))
            return true;
    return false;
}

static void expect_camera(struct place *place)
{
    struct link_message message;
    assert_true(receive(place, &message, now_ms() + PATIENCE_MS));
    assert_int_equal(message.kind, LINK_CAMERA);
    assert_int_equal(message.camera_open, 1);
    assert_non_null(strstr(message.text, place->folder));
}

static int exit_status(struct place *place)
{
    int status = 0;
    const int64_t until_ms = now_ms() + PATIENCE_MS;
    pid_t ended = 0;
    while ((ended = waitpid(place->pid, &status, WNOHANG)) == 0 && now_ms() < until_ms)
        usleep(5000);
    assert_int_equal(ended, place->pid);
    place->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void held_code_is_told_again_but_seldom_decoded(void **state)
{
    struct place *place = *state;
    put_code(place, "a.pgm", "held");
    place->settings.replay.hold_ms = 1500;
    place->settings.replay.gap_ms = 60000;
    start(place, 0);
    expect_camera(place);

    struct link_message message;
    int seen = 0, beats = 0;
    int64_t first_us = 0, last_us = 0, last_beat_us = 0, longest_us = 0, longest_beat_us = 0;
    const int64_t until_ms = now_ms() + 2500;
    while (receive(place, &message, until_ms)) {
        if (message.kind == LINK_BEAT) {
            if (beats++ && message.sent_at_us - last_beat_us > longest_beat_us)
                longest_beat_us = message.sent_at_us - last_beat_us;
            last_beat_us = message.sent_at_us;
            assert_int_equal(message.payload[0], 0); /* nothing left over from a SEEN */
            continue;
        }
        assert_true(is_payload(&message, "held"));
        assert_true(message.captured_at_us <= message.sent_at_us);
        assert_true(message.captured_at_us > last_us || seen == 0);
        assert_in_range(message.corner_x[0], 60, 260);
        if (seen++ && message.sent_at_us - last_us > longest_us)
            longest_us = message.sent_at_us - last_us;
        if (seen == 1)
            first_us = message.sent_at_us;
        last_us = message.sent_at_us;
    }
    assert_true(seen >= 8);
    assert_true(beats >= 10);
    assert_in_range(last_us - first_us, 1100000, 1700000); /* none once it has left the view */
    assert_true(longest_us < 300000);                      /* 200 ms, and room for a busy machine */
    assert_true(longest_beat_us < 400000);
    assert_true(message.frames >= 50);
    assert_true(message.scans >= 3 && message.scans <= message.frames / 4);
    assert_true(message.reads >= 1 && message.reads <= 8);
    assert_int_equal(message.broken_frames, 0);
}

static void picture_renamed_in_is_seen(void **state)
{
    struct place *place = *state;
    start(place, 0);
    expect_camera(place);
    struct link_message message;
    put_code(place, "1.pgm", "first comer");
    assert_true(wait_for(place, "first comer", &message));
    assert_true(receive(place, &message, now_ms() + 1000));
}

static void next_code_is_seen_without_a_gap(void **state)
{
    struct place *place = *state;
    put_code(place, "1.pgm", "one");
    put_code(place, "2.pgm", "two");
    place->settings.replay.hold_ms = 300;
    place->settings.replay.gap_ms = 0;
    start(place, 0);
    struct link_message message;
    assert_true(wait_for(place, "one", &message));
    const int64_t one_us = message.sent_at_us;
    assert_true(wait_for(place, "two", &message));
    assert_true(message.sent_at_us - one_us < 600000);
}

static void several_codes_are_all_told(void **state)
{
    struct place *place = *state;
    struct qr_picture picture = qr_blank(WIDTH, HEIGHT, WIDTH, 255);
    qr_draw(&picture, qr_bytes("left", 4), 0, 40, 5, false);
    qr_draw(&picture, qr_bytes("right", 5), 160, 40, 5, false);
    qr_write_pgm(&picture, place->folder, "a.pgm");
    free(picture.luma);
    start(place, 0);
    struct link_message message;
    assert_true(wait_for(place, "left", &message));
    assert_true(wait_for(place, "right", &message));
    assert_true(wait_for(place, "left", &message));
}

/* At most each 200 ms, as long as it is held, though the view is still; not a word of it once it can be read or is gone. */
static void covered_code_is_told_of_until_it_is_read(void **state)
{
    struct place *place = *state;
    struct link_message message;
    put_covered_code(place, "1.pgm", "covered");
    put_code(place, "2.pgm", "uncovered");
    place->settings.replay.hold_ms = 1500;
    place->settings.replay.gap_ms = 0;
    start(place, 0);
    expect_camera(place);
    int told = 0, seen = 0, told_too_late = 0;
    int64_t last_us = 0, longest_us = 0;
    const int64_t until_ms = now_ms() + 4000;
    while (receive(place, &message, until_ms)) {
        if (message.kind == LINK_SEEN) {
            assert_true(is_payload(&message, "uncovered"));
            assert_int_equal(message.hint, READER_HINT_NONE);
            seen++;
        }
        if (message.kind != LINK_UNREADABLE)
            continue;
        assert_true(message.captured_at_us > 0 && message.captured_at_us <= message.sent_at_us);
        assert_int_equal(message.payload[0], 0);
        assert_in_range(message.hint, READER_HINT_UNREADABLE, READER_HINT_COUNT - 1);
        if (told++ > 0) {
            assert_true(message.sent_at_us - last_us >= (LINK_BEAT_MS - 20) * 1000); /* stamped a little after the decision */
            longest_us = message.sent_at_us - last_us > longest_us ? message.sent_at_us - last_us : longest_us;
        }
        last_us = message.sent_at_us;
        told_too_late += seen > 0;
    }
    assert_in_range(told, 4, 8);
    assert_true(longest_us < 500000);
    assert_true(seen >= 8);
    assert_int_equal(told_too_late, 0);
}

static void broken_frame_is_counted(void **state)
{
    struct place *place = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/a.png", place->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("no picture", file);
    fclose(file);
    put_code(place, "b.pgm", "after");
    place->settings.replay.hold_ms = 100;
    start(place, 0);
    struct link_message message;
    assert_true(wait_for(place, "after", &message));
    assert_int_equal(message.broken_frames, 1);
}

/* A beat that finds no room is gone; a code isn't. */
static void full_link_delays_a_code_but_keeps_it(void **state)
{
    struct place *place = *state;
    start(place, 20000);
    expect_camera(place);
    usleep(1500 * 1000); /* beats fill the link */
    put_code(place, "1.pgm", "late");
    usleep(700 * 1000);
    struct link_message message;
    assert_true(wait_for(place, "late", &message));
}

static void no_folder_says_why(void **state)
{
    struct place *place = *state;
    strcat(place->settings.replay.folder, "/none");
    start(place, 0);
    struct link_message message;
    assert_true(receive(place, &message, now_ms() + PATIENCE_MS));
    assert_int_equal(message.kind, LINK_CAMERA);
    assert_int_equal(message.camera_open, 0);
    assert_non_null(strstr(message.text, place->settings.replay.folder));
    assert_int_equal(exit_status(place), 1);
}

static void no_camera_says_why(void **state)
{
    struct place *place = *state;
    place->settings.camera = EYE_CAMERA_V4L2;
    place->settings.v4l2 = (struct camera_v4l2_settings){
        .device = "/dev/v4l/by-id/none", .width_px = WIDTH, .height_px = HEIGHT, .rate_fps = 30};
    start(place, 0);
    struct link_message message;
    assert_true(receive(place, &message, now_ms() + PATIENCE_MS));
    assert_int_equal(message.kind, LINK_CAMERA);
    assert_int_equal(message.camera_open, 0);
    assert_non_null(strstr(message.text, "/dev/v4l/by-id/none"));
    assert_int_equal(exit_status(place), 1);
}

static void closed_link_ends_it(void **state)
{
    struct place *place = *state;
    start(place, 0);
    expect_camera(place);
    close(place->fd);
    place->fd = -1;
    assert_int_equal(exit_status(place), 0);
}

/* Behind the filter of system calls, alone and before the other: what a library asks of the system, it must get. */
static void each_decoder_reads_in_the_eye(void **state)
{
    struct place *place = *state;
    char name[16], payload[16];
    place->settings.replay.hold_ms = 200;
    place->settings.replay.gap_ms = 200;
    for (int kind = 0; kind < DECODER_KINDS; kind++) {
        if (!decoder_is_built_in((enum decoder_kind)kind))
            continue;
        (void)snprintf(name, sizeof name, "%d.pgm", kind);
        (void)snprintf(payload, sizeof payload, "by number %d", kind);
        put_code(place, name, payload);
        for (int both = 0; both < 2 && (!both || decoder_is_built_in(DECODER_ZXING)); both++) {
            place->settings.decoders = (struct eye_decoders){
                .count = 1 + both, .kinds = {(enum decoder_kind)kind, (enum decoder_kind)(DECODER_KINDS - 1 - kind)}};
            start(place, 0);
            struct link_message message;
            assert_true(wait_for(place, payload, &message));
            assert_int_equal(kill(place->pid, SIGTERM), 0);
            assert_int_equal(exit_status(place), 0);
            assert_int_equal(close(place->fd), 0);
            place->fd = -1;
        }
    }
}

static void sigterm_ends_it(void **state)
{
    struct place *place = *state;
    put_code(place, "1.pgm", "whatever");
    start(place, 0);
    expect_camera(place);
    assert_int_equal(kill(place->pid, SIGTERM), 0);
    assert_int_equal(exit_status(place), 0);
}

/* ---- the link's check ---- */

static void only_sane_messages_are_believed(void **state)
{
    (void)state;
    static struct link_message message;
    message.kind = LINK_SEEN;
    message.length_bytes = 1;
    assert_true(link_check(&message, sizeof message));
    assert_false(link_check(&message, sizeof message - 1));
    assert_false(link_check(&message, 0));
    message.length_bytes = LINK_PAYLOAD_MAX_BYTES;
    assert_true(link_check(&message, sizeof message));
    message.length_bytes = LINK_PAYLOAD_MAX_BYTES + 1;
    assert_false(link_check(&message, sizeof message));
    message.length_bytes = UINT32_MAX;
    assert_false(link_check(&message, sizeof message));
    message.length_bytes = 0;
    assert_false(link_check(&message, sizeof message));
    message.kind = LINK_BEAT;
    assert_true(link_check(&message, sizeof message));
    message.camera_open = 2;
    assert_false(link_check(&message, sizeof message));
    message.camera_open = 1;
    memset(message.text, 'x', sizeof message.text);
    assert_false(link_check(&message, sizeof message));
    message.text[sizeof message.text - 1] = '\0';
    assert_true(link_check(&message, sizeof message));
    message.kind = LINK_UNREADABLE;
    message.hint = READER_HINT_UNREADABLE;
    assert_true(link_check(&message, sizeof message));
    message.length_bytes = 1;
    assert_false(link_check(&message, sizeof message));
    message.length_bytes = 0;
    for (uint32_t hint = 0; hint <= READER_HINT_COUNT; hint++) {
        message.hint = hint;
        assert_int_equal(link_check(&message, sizeof message), hint > READER_HINT_NONE && hint < READER_HINT_COUNT);
        message.kind = LINK_BEAT; /* no other message has one */
        assert_int_equal(link_check(&message, sizeof message), hint == READER_HINT_NONE);
        message.kind = LINK_UNREADABLE;
    }
    message.hint = READER_HINT_NONE;
    for (uint32_t kind = 4; kind != 3; kind = kind < 100 ? kind + 1 : kind == 100 ? UINT32_MAX : kind + 4) {
        message.kind = kind;
        message.hint = kind == LINK_UNREADABLE ? READER_HINT_GLARE : READER_HINT_NONE;
        assert_int_equal(link_check(&message, sizeof message), kind == LINK_CAMERA || kind == LINK_UNREADABLE);
    }
}

/* ---- the sandbox ---- */

enum { IN_SANDBOX_OK = 42, NO_SANDBOX = 43, LINK_FD_HERE = 3 };

static int compare_pointers(const void *a, const void *b)
{
    const uintptr_t left = *(const uintptr_t *)a, right = *(const uintptr_t *)b;
    return (left > right) - (left < right);
}

static void try_reading(const struct place *place)
{
    char path[128];
    snprintf(path, sizeof path, "%s/1.pgm", place->folder);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    _exit(fd >= 0 ? 1 : errno == EACCES ? 2 : 3);
}

static void try_writing(const struct place *place)
{
    char path[128];
    snprintf(path, sizeof path, "%s/evil", place->folder);
    (void)open(path, O_WRONLY | O_CREAT, 0600);
}

static void try_appending(const struct place *place)
{
    char path[128];
    snprintf(path, sizeof path, "%s/1.pgm", place->folder);
    (void)open(path, O_RDWR);
}

static void try_truncating(const struct place *place)
{
    char path[128];
    snprintf(path, sizeof path, "%s/1.pgm", place->folder);
    (void)open(path, O_RDONLY | O_TRUNC);
}

static void try_unlinking(const struct place *place)
{
    char path[128];
    snprintf(path, sizeof path, "%s/1.pgm", place->folder);
    (void)unlink(path);
}

static void try_socket(const struct place *place)
{
    (void)place;
    (void)socket(AF_INET, SOCK_STREAM, 0);
}

static void try_exec(const struct place *place)
{
    (void)place;
    char *const arguments[] = {NULL};
    (void)execve("/bin/true", arguments, arguments);
}

static void try_fork(const struct place *place)
{
    (void)place;
    if (fork() == 0)
        _exit(0);
}

static void try_kill(const struct place *place)
{
    (void)place;
    (void)kill(getppid(), 0);
}

static void try_executable_memory(const struct place *place)
{
    (void)place;
    (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_making_executable(const struct place *place)
{
    (void)place;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)mprotect(memory, 4096, PROT_READ | PROT_EXEC);
}

static void try_terminal(const struct place *place)
{
    (void)place;
    (void)ioctl(0, TIOCSTI, "x");
}

static void try_sending_elsewhere(const struct place *place)
{
    (void)place;
    (void)send(LINK_FD_HERE + 1, "x", 1, MSG_NOSIGNAL);
}

static void try_abort(const struct place *place)
{
    (void)place;
    abort();
}

/* Everything a decoder may do to itself: many scans, named character sets, a large sort, much memory. */
static void try_decoding(const struct place *place)
{
    char why[256];
    struct camera *camera = NULL;
    struct decoder *decoder = decoder_zbar_new();
    if (!decoder || camera_replay_open(&place->settings.replay, &camera, why, sizeof why) < 0)
        _exit(1);
    if (sandbox_enter(LINK_FD_HERE, true) < 0) {
        camera_close(camera);
        decoder_free(decoder);
        _exit(NO_SANDBOX);
    }

    struct decoder_code codes[DECODER_CODES_MAX];
    for (int frames = 0, found = 0; found < 8; frames++) {
        struct camera_frame frame;
        const int result = camera_next(camera, 1000, &frame);
        if (frames > 500 || (result < 0 && result != -EBADMSG))
            _exit(2);
        if (result != 1)
            continue;
        const struct decoder_picture picture = {frame.luma, frame.width_px, frame.height_px, frame.stride_bytes, false};
        found += decoder_scan(decoder, &picture, codes) == 1;
    }
    for (unsigned set = 0; set < 40; set++) {
        QRinput *input = QRinput_new2(0, QR_ECLEVEL_M);
        if (!input || QRinput_appendECIheader(input, set) < 0 ||
            QRinput_append(input, QR_MODE_8, 1, (const void *)"x") < 0)
            _exit(3);
        struct qr_picture picture = qr_centred(QRcode_encodeInput(input), WIDTH, HEIGHT, 6);
        const struct decoder_picture view = {picture.luma, WIDTH, HEIGHT, WIDTH, false};
        (void)decoder_scan(decoder, &view, codes);
        free(picture.luma);
        QRinput_free(input);
    }
    enum { MANY = 100000 };
    uintptr_t *numbers = malloc(MANY * sizeof *numbers);
    if (!numbers)
        _exit(4);
    for (uintptr_t i = 0; i < MANY; i++)
        numbers[i] = i * 2654435761u % 1000003;
    qsort(numbers, MANY, sizeof *numbers, compare_pointers);
    free(numbers);
    fprintf(stderr, "<7>eye: a line from inside\n");
    camera_close(camera);
    decoder_free(decoder);
    _exit(IN_SANDBOX_OK);
}

/* Runs the act in a child and returns its exit status, or the signal that killed it, negative. */
static int outcome_of(struct place *place, void (*act)(const struct place *), bool enter, bool reads_files)
{
    place->pid = fork();
    assert_true(place->pid >= 0);
    if (place->pid == 0) {
        const int result = enter ? sandbox_enter(LINK_FD_HERE, reads_files) : 0;
        if (result < 0)
            _exit(result == -ENOTSUP || result == -ENOSYS ? NO_SANDBOX : 1);
        act(place);
        _exit(IN_SANDBOX_OK);
    }
    return exit_status(place);
}

/* An emulated processor on another's kernel (qemu-user) has no filter, and the eye says so there. */
static void skip_without_filters(void)
{
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 && errno == EINVAL) {
        print_message("    this kernel has no seccomp\n");
        skip();
    }
}

static void decoding_works_inside(void **state)
{
    struct place *place = *state;
    skip_without_filters();
    put_code(place, "1.pgm", "inside");
    place->settings.replay.hold_ms = 200;
    place->settings.replay.loop = true;
    const int outcome = outcome_of(place, try_decoding, false, true);
    assert_int_equal(outcome, IN_SANDBOX_OK);
}

static void forbidden_acts_kill(void **state)
{
    skip_without_filters();
    struct place *place = *state;
    static void (*const acts[])(const struct place *) = {
        try_writing,  try_appending, try_truncating,        try_unlinking,         try_socket,           try_exec,
        try_fork,     try_kill,      try_executable_memory, try_making_executable, try_sending_elsewhere};
    put_code(place, "1.pgm", "untouched");
    for (int reads_files = 0; reads_files < 2; reads_files++)
        for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
            const int outcome = outcome_of(place, acts[i], true, reads_files);
            if (outcome != -SIGSYS)
                print_error("act %zu: outcome %d\n", i, outcome);
            assert_int_equal(outcome, -SIGSYS);
        }
}

static void each_camera_gets_what_it_needs(void **state)
{
    skip_without_filters();
    struct place *place = *state;
    put_code(place, "1.pgm", "readable");
    const int outcome = outcome_of(place, try_reading, true, true);
    assert_int_equal(outcome, 1);
    assert_int_equal(outcome_of(place, try_reading, true, false), 2);
    assert_int_equal(outcome_of(place, try_terminal, true, true), -SIGSYS);
    assert_int_equal(outcome_of(place, try_terminal, true, false), -SIGSYS);
    assert_int_equal(outcome_of(place, try_abort, true, false), -SIGABRT); /* told apart from a forbidden call */
}

static void try_shedding(const struct place *place)
{
    (void)place;
    const int kept = fcntl(0, F_DUPFD, 50), other = fcntl(0, F_DUPFD, 60), low = fcntl(0, F_DUPFD, 20);
    if (kept != 50 || other < 60 || low < 20 || sandbox_shed(kept) < 0)
        _exit(1);
    _exit(fcntl(kept, F_GETFD) >= 0 && fcntl(2, F_GETFD) >= 0 && fcntl(other, F_GETFD) < 0 && fcntl(low, F_GETFD) < 0
              ? IN_SANDBOX_OK
              : 2);
}

static void try_being_chosen(const struct place *place)
{
    char text[16] = "";
    (void)place;
    const bool shed = sandbox_shed(fcntl(0, F_DUPFD, 50)) == 0;
    const int fd = open("/proc/thread-self/oom_score_adj", O_RDONLY);
    _exit(shed && fd >= 0 && read(fd, text, sizeof text - 1) > 0 && strcmp(text, "1000\n") == 0 ? IN_SANDBOX_OK : 2);
}

static void the_kernel_ends_the_eye_first(void **state)
{
    assert_int_equal(outcome_of(*state, try_being_chosen, false, false), IN_SANDBOX_OK);
}

static void descriptors_are_shed(void **state)
{
    assert_int_equal(outcome_of(*state, try_shedding, false, false), IN_SANDBOX_OK);
}

static void takes_settings_of_main_and_nothing_else(void **state)
{
    struct place *place = *state;
    struct eye_settings taken;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(eye_take_settings(pair[1], &taken), -EAGAIN);
    assert_int_equal(send(pair[0], &place->settings, sizeof place->settings, 0), sizeof place->settings);
    assert_int_equal(eye_take_settings(pair[1], &taken), 0);
    assert_memory_equal(&taken, &place->settings, sizeof taken);
    char more[sizeof taken + 1] = "";
    for (size_t bytes = sizeof taken - 1; bytes <= sizeof more; bytes += 2) {
        assert_int_equal(send(pair[0], more, bytes, 0), bytes);
        assert_int_equal(eye_take_settings(pair[1], &taken), -EPROTO);
    }
    close(pair[0]);
    assert_int_equal(eye_take_settings(pair[1], &taken), -EPROTO); /* closed */
    close(pair[1]);
    const int file = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(eye_take_settings(file, &taken), -ENOTSOCK);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(held_code_is_told_again_but_seldom_decoded, setup, teardown),
        cmocka_unit_test_setup_teardown(picture_renamed_in_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(next_code_is_seen_without_a_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(several_codes_are_all_told, setup, teardown),
        cmocka_unit_test_setup_teardown(covered_code_is_told_of_until_it_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_frame_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(full_link_delays_a_code_but_keeps_it, setup, teardown),
        cmocka_unit_test_setup_teardown(no_folder_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(no_camera_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(closed_link_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(each_decoder_reads_in_the_eye, setup, teardown),
        cmocka_unit_test_setup_teardown(sigterm_ends_it, setup, teardown),
        cmocka_unit_test(only_sane_messages_are_believed),
        cmocka_unit_test_setup_teardown(takes_settings_of_main_and_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(descriptors_are_shed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_kernel_ends_the_eye_first, setup, teardown),
    };
    /* A sanitizer's runtime needs system calls that the filter kills: there the filter is left out by design. */
    const struct CMUnitTest filtered[] = {
        cmocka_unit_test_setup_teardown(decoding_works_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(forbidden_acts_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(each_camera_gets_what_it_needs, setup, teardown),
    };
    int failed = cmocka_run_group_tests_name("eye", tests, NULL, NULL);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    failed += cmocka_run_group_tests_name("eye_filtered", filtered, NULL, NULL);
#else
    (void)filtered;
#endif
    return failed;
}
