// zxing-cpp for `make bench`, where it is installed: QR only, with everything it can try, and in its fast mode.
#include "tests/bench/peers.h"

#define ZX_USE_UTF8 1 // 1.4 asks for it

#include <ZXing/ReadBarcode.h>

namespace
{

#if __has_include(<ZXing/ReaderOptions.h>)
using Options = ZXing::ReaderOptions;
#else
using Options = ZXing::DecodeHints;
#endif

void *open_with(bool everything)
{
    auto *options = new Options;
    options->setFormats(ZXing::BarcodeFormat::QRCode);
    options->setTryHarder(everything);
    options->setTryRotate(everything);
    options->setTryDownscale(everything);
#if __has_include(<ZXing/ReaderOptions.h>)
    options->setTryInvert(everything);
#endif
    return options;
}

void *open_all() { return open_with(true); }
void *open_fast() { return open_with(false); }

void read(void *self, const decoder_picture *picture, peer_texts *texts)
{
    peer_texts_clear(texts);
    const ZXing::ImageView view(picture->luma, picture->width_px, picture->height_px, ZXing::ImageFormat::Lum,
                                picture->stride_bytes);
    for (const auto &result : ZXing::ReadBarcodes(view, *static_cast<Options *>(self)))
        if (result.isValid())
            peer_texts_add(texts, result.bytes().data(), result.bytes().size());
}

void close(void *self) { delete static_cast<Options *>(self); }

} // namespace

extern const struct peer peer_zxing = {"zxing-cpp", open_all, read, close, nullptr, nullptr};
extern const struct peer peer_zxing_fast = {"zxing-cpp, fast mode", open_fast, read, close, nullptr, nullptr};
