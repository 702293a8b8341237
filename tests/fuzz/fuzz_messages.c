/* Fuzzes a line of qrgatectl's --messages: what is taken is an event that a lane could have written, of a lane that could be. The
 * tool's files aren't in libqrgate.a, so they are taken in whole. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/ctl/reading/message_line.c"
#include "daemon/ctl/values.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_messages: broken: %s\n", what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char lane[JOURNAL_LANE_BYTES], why[192] = "";
    struct event event;
    if (size > MESSAGE_LINE_BYTES)
        return 0;
    char *line = malloc(size + 1); /* of its exact size, so that a sanitizer sees a byte too far */
    require(line != NULL, "memory");
    memcpy(line, data, size);
    line[size] = '\0';
    const int result = message_line_read(line, strlen(line), &event, lane, why, sizeof why);
    if (result == 1) {
        require(event.seq > 0 && event.event_id[0] != '\0' && strlen(event.person) % 32 == 0, "an event taken is one");
        require((unsigned)event.kind < EVENT_KIND_COUNT && (unsigned)event.reason < REASON_COUNT &&
                    (unsigned)event.direction < DIRECTION_COUNT,
                "its enums are in range");
        require(memchr(event.detail, '\0', sizeof event.detail) != NULL && memchr(event.alarm, '\0', sizeof event.alarm) != NULL,
                "its texts end");
        require(lane[0] == '\0' || topic_name_valid(lane), "its lane could be one");
    } else if (result == -EBADMSG) {
        require(why[0] != '\0' && memchr(why, '\0', sizeof why) != NULL, "a mistake is told");
    }
    free(line);
    return 0;
}
