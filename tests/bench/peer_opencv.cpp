// OpenCV's detector for `make bench`, where it is installed; WeChat's too, where QRG_WECHAT_MODELS names the folder of
// its network.
#include "tests/bench/peers.h"

#include <cstdlib>
#include <string>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/objdetect.hpp>
#if __has_include(<opencv2/wechat_qrcode.hpp>)
#include <opencv2/wechat_qrcode.hpp>
#define HAVE_WECHAT 1
#endif

namespace
{

void add(const std::vector<std::string> &found, peer_texts *texts)
{
    for (const auto &text : found)
        if (!text.empty())
            peer_texts_add(texts, text.data(), text.size());
}

cv::Mat matrix(const decoder_picture *picture)
{
    return cv::Mat(picture->height_px, picture->width_px, CV_8UC1, const_cast<uint8_t *>(picture->luma),
                   static_cast<size_t>(picture->stride_bytes));
}

void *open_detector()
{
    cv::setNumThreads(1);
    return new cv::QRCodeDetector;
}

void read_detector(void *self, const decoder_picture *picture, peer_texts *texts)
{
    std::vector<std::string> found;
    peer_texts_clear(texts);
    try {
        static_cast<cv::QRCodeDetector *>(self)->detectAndDecodeMulti(matrix(picture), found);
    } catch (const cv::Exception &) { // some pictures make it throw: nothing read
    }
    add(found, texts);
}

void close_detector(void *self) { delete static_cast<cv::QRCodeDetector *>(self); }

#if HAVE_WECHAT
void *open_wechat()
{
    const char *folder = std::getenv("QRG_WECHAT_MODELS");
    if (!folder)
        return nullptr;
    const std::string at = std::string(folder) + "/";
    cv::setNumThreads(1);
    try {
        return new cv::wechat_qrcode::WeChatQRCode(at + "detect.prototxt", at + "detect.caffemodel", at + "sr.prototxt",
                                                   at + "sr.caffemodel");
    } catch (const cv::Exception &) {
        return nullptr;
    }
}

// Its own search, and zxing as it was, without the network that finds codes and sharpens them.
void *open_wechat_plain()
{
    cv::setNumThreads(1);
    try {
        return new cv::wechat_qrcode::WeChatQRCode;
    } catch (const cv::Exception &) {
        return nullptr;
    }
}

void read_wechat(void *self, const decoder_picture *picture, peer_texts *texts)
{
    peer_texts_clear(texts);
    try {
        add(static_cast<cv::wechat_qrcode::WeChatQRCode *>(self)->detectAndDecode(matrix(picture)), texts);
    } catch (const cv::Exception &) {
    }
}

void close_wechat(void *self) { delete static_cast<cv::wechat_qrcode::WeChatQRCode *>(self); }
#endif

} // namespace

extern const struct peer peer_opencv = {"OpenCV", open_detector, read_detector, close_detector, nullptr, nullptr};
#if HAVE_WECHAT
extern const struct peer peer_wechat = {"OpenCV, WeChat", open_wechat, read_wechat, close_wechat, nullptr, nullptr};
extern const struct peer peer_wechat_plain = {
    "WeChat, no network", open_wechat_plain, read_wechat, close_wechat, nullptr, nullptr};
#else
extern const struct peer peer_wechat = {"OpenCV, WeChat",          nullptr, nullptr, nullptr,
                                        "not part of this OpenCV", nullptr};
extern const struct peer peer_wechat_plain = {"WeChat, no network",      nullptr, nullptr, nullptr,
                                              "not part of this OpenCV", nullptr};
#endif
