/* Starts the eye, believes nothing it says, and replaces it when it dies, hangs or loses its camera. Main thread. One
 * descriptor (an epoll set of the link and the child's pidfd) serves for the whole life. */
#ifndef VISION_SUPERVISOR_H
#define VISION_SUPERVISOR_H

#include <sys/types.h>

#include "daemon/vision/eye.h"
#include "daemon/vision/link.h"

enum { SUPERVISOR_TURN = 16 };

struct supervisor_counts {
    uint64_t frames, broken_frames, scans, reads;
};

struct supervisor {
    const struct eye_settings *settings; /* borrowed: those in force, told to each eye at its start */
    int hang_ms;                         /* silent for so long: killed */
    int epoll_fd, link_fd, pid_fd;
    pid_t pid;                /* 0: none runs */
    bool ending;              /* killed, but still there: a driver holds it */
    int ending_looks;
    int64_t started_at_us, heard_at_us, start_due_us;
    int backoff_ms;
    bool heard, had_camera; /* since this eye's start */
    bool nonsense;          /* the last it sent can't be believed */
    int taken;              /* messages, since supervisor_take() last gave 0 */
    bool camera_open;
    uint64_t starts, bad_messages;
    struct supervisor_counts before, lately; /* of the eyes that ended; of this one */
    int statm_fd; /* its memory, for who wants to know; opened before it walls itself in. -1: none */
    char camera_text[LINK_TEXT_BYTES]; /* what was opened, or why not */
    struct link_message message;       /* received into; too large for a stack frame of a hot path */
};

int supervisor_init(struct supervisor *s, const struct eye_settings *settings, int hang_ms, int64_t now_us);
/* Starts a due eye, kills a silent one. What it has said and nobody has taken yet is no silence. */
void supervisor_tick(struct supervisor *s, int64_t now_us);
/* The keeper does its work: no eye has been silent for longer than it may, however long hang_ms makes that. */
bool supervisor_in_time(const struct supervisor *s, int64_t now_us);
int64_t supervisor_next_us(const struct supervisor *s);
/* Call until it gives 0: 1 means s->message is news, of any kind of link.h. That is soon, whatever an eye sends: after
 * SUPERVISOR_TURN messages, and what still waits keeps epoll_fd readable. */
int supervisor_take(struct supervisor *s, int64_t now_us);
/* Of all eyes so far. What an eye says is believed up to UINT32_MAX each: a made-up number must not drown the others. */
struct supervisor_counts supervisor_counts(const struct supervisor *s);
void supervisor_close(struct supervisor *s); /* ends the eye and waits for it, a second at most */

void supervisor_reconfigure(struct supervisor *s, const struct eye_settings *settings, int hang_ms); /* after a reload */

#endif
