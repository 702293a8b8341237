/* config/lang/en.lang, as it was when the program was built: qrgatectl is never without words. */
#include "daemon/ctl/lang_parts.h"

__asm__(".section .rodata\n"
        ".global lang_english_begin\n"
        "lang_english_begin:\n"
        ".incbin \"config/lang/en.lang\"\n"
        ".global lang_english_end\n"
        "lang_english_end:\n"
        ".byte 0\n"
        ".previous\n");
