/* The check of what comes over the eye's link. Pure; called by main for every datagram, before anything in it is
 * believed. */
#include "daemon/vision/link.h"

#include <string.h>

#include "daemon/vision/reader.h"

bool link_check(const struct link_message *message, size_t received_bytes)
{
    if (received_bytes != sizeof *message)
        return false;
    if (message->camera_open != 0 && message->camera_open != 1)
        return false;
    if (!memchr(message->text, '\0', sizeof message->text))
        return false;

    if (message->hint >= READER_HINT_COUNT || (message->kind == LINK_UNREADABLE) != (message->hint != READER_HINT_NONE))
        return false;

    switch (message->kind) {
    case LINK_SEEN:
        return message->length_bytes >= 1 && message->length_bytes <= LINK_PAYLOAD_MAX_BYTES;
    case LINK_BEAT:
    case LINK_CAMERA:
    case LINK_UNREADABLE:
        return message->length_bytes == 0;
    default:
        return false;
    }
}
