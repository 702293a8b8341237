/* The head, the style and the escapes that every printed page shares. */
#include "daemon/ctl/page.h"

#include <stdbool.h>
#include <string.h>

/* Colours that stay apart in grey, too; black on white for paper. */
static const char STYLE[] =
    "@page{size:A4;margin:14mm 14mm 16mm}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:#f1f3f4;color:#1b1f23;font:10.5pt/1.45 \"Noto Sans\",\"DejaVu Sans\",\"Liberation Sans\",Arial,"
    "sans-serif}"
    "main{max-width:210mm;margin:8mm auto;padding:14mm;background:#fff;box-shadow:0 1px 6px #0003}"
    "header{border-bottom:2px solid #14532d;padding-bottom:3mm;margin-bottom:5mm}"
    "h1{font-size:17pt;line-height:1.2;margin:0 0 1mm}"
    "h2{font-size:12pt;margin:7mm 0 2mm;color:#14532d;break-after:avoid}"
    "p{margin:0 0 2mm}.muted{color:#57606a}.small{font-size:9pt}"
    "table{border-collapse:collapse;width:100%;font-size:9.5pt;font-variant-numeric:tabular-nums}"
    "th,td{padding:1.1mm 2mm;text-align:left;vertical-align:top;border-bottom:.3mm solid #d7dce0}"
    "thead{display:table-header-group}th{background:#eef4f0;font-weight:600;border-bottom-color:#14532d}"
    "tr{break-inside:avoid}td.n,th.n{text-align:right}td.n{white-space:nowrap}td.who{min-width:48mm}tr.sum td{font-weight:600;border-top:.4mm solid #14532d}"
    "td.t{white-space:nowrap}code{font:8.5pt \"DejaVu Sans Mono\",\"Liberation Mono\",monospace;white-space:nowrap}"
    ".note{border-left:1.2mm solid #b45309;background:#fff7ed;padding:2mm 3mm;margin:2mm 0 4mm}"
    ".tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:3mm;margin:4mm 0}"
    ".tile{border:.3mm solid #d7dce0;border-radius:1.5mm;padding:2.5mm 3mm}"
    ".tile b{display:block;font-size:16pt;line-height:1.2;font-variant-numeric:tabular-nums}"
    ".two{display:grid;grid-template-columns:2fr 3fr;gap:6mm;margin-top:7mm}.two h2:first-child{margin-top:0}"
    "svg{display:block;width:100%;height:auto;margin:1mm 0 2mm}svg text{font:3.1px \"Noto Sans\",\"DejaVu Sans\",sans-serif}"
    ".box{display:inline-block;width:4mm;height:4mm;border:.4mm solid #1b1f23;vertical-align:-.6mm}"
    ".sign{display:grid;grid-template-columns:1fr 1fr;gap:20mm;margin-top:10mm;text-align:center;break-inside:avoid}"
    ".sign div{padding-bottom:22mm}footer{margin-top:6mm;border-top:.3mm solid #d7dce0;padding-top:2mm}"
    "@media print{body{background:#fff}main{margin:0;padding:0;box-shadow:none;max-width:none}}";

void page_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&': (void)fputs("&amp;", out); break;
        case '<': (void)fputs("&lt;", out); break;
        case '>': (void)fputs("&gt;", out); break;
        case '"': (void)fputs("&quot;", out); break;
        case '\'': (void)fputs("&#39;", out); break;
        default: (void)fputc(*text, out);
        }
    }
}

void page_element(FILE *out, const char *tag, const char *class_name, const char *text)
{
    const bool has_class = class_name && class_name[0] != '\0';
    (void)fprintf(out, "<%s%s%s%s>", tag, has_class ? " class=\"" : "", has_class ? class_name : "", has_class ? "\"" : "");
    page_text(out, text);
    (void)fprintf(out, "</%s>", tag);
}

void page_begin(FILE *out, const struct lang *lang, const char *title)
{
    (void)fprintf(out, "<!doctype html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                  "content=\"width=device-width\">\n", lang_name(lang));
    page_element(out, "title", NULL, title);
    (void)fprintf(out, "\n<style>%s</style>\n</head>\n<body>\n<main>\n", STYLE);
}

void page_end(FILE *out)
{
    (void)fprintf(out, "</main>\n</body>\n</html>\n");
}

void csv_field(FILE *out, const char *text)
{
    const bool formula = text[0] != '\0' && strchr("=+-@\t\r", text[0]) && text[1] != '\0';
    if (!formula && !strpbrk(text, ",\"\r\n")) {
        (void)fputs(text, out);
        return;
    }
    (void)fputs(formula ? "\"'" : "\"", out);
    for (; *text; text++)
        (void)(*text == '"' ? fputs("\"\"", out) : fputc(*text, out));
    (void)fputc('"', out);
}
