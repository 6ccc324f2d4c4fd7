#include "jpeg.h"

#include <string>

#include "duet/error.h"

#ifdef DUET_SAMPLE_JPEG
#include <csetjmp>
#include <cstdio>
#include <fstream>
#include <iterator>

#include <jpeglib.h>  // wants <cstdio> before it
// After that one: the codes depend on the library's version.
#include <jerror.h>
#endif

namespace samples {

#ifdef DUET_SAMPLE_JPEG

namespace {

struct Failure {
  jpeg_error_mgr manager;  ///< first: the library hands back a pointer to it
  std::jmp_buf back;
  char text[JMSG_LENGTH_MAX];
};

[[noreturn]] void give_up(j_common_ptr jpeg) {
  auto* const failure = reinterpret_cast<Failure*>(jpeg->err);
  failure->manager.format_message(jpeg, failure->text);
  std::longjmp(failure->back, 1);
}
// The library fills in grey what a cut-off file lacks and calls that a warning.
void take_as_error(j_common_ptr jpeg, int level) {
  const int code = jpeg->err->msg_code;
  if (level == -1 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)) give_up(jpeg);
}

constexpr std::size_t kColours = 3;
// A few bytes can claim a picture that no memory holds.
constexpr std::size_t kMostPixels = 100'000'000;

void make_rgb(std::vector<std::uint8_t>& values, bool inverse) {
  const unsigned flip = inverse ? 0U : 255U;
  std::size_t to = 0;
  for (std::size_t from = 0; from < values.size(); from += 4) {
    const unsigned black = values[from + 3] ^ flip;
    for (std::size_t k = 0; k < kColours; ++k)
      values[to++] = static_cast<std::uint8_t>((values[from + k] ^ flip) * black / 255U);
  }
  values.resize(to);
}

void refuse_if_large(jpeg_decompress_struct& jpeg) {
  if (std::size_t{jpeg.image_height} * jpeg.image_width <= kMostPixels) return;
  auto* const failure = reinterpret_cast<Failure*>(jpeg.err);
  std::snprintf(failure->text, sizeof failure->text, "%u x %u pixels are too many, at most %zu are read",
                jpeg.image_width, jpeg.image_height, kMostPixels);
  std::longjmp(failure->back, 1);
}

void decode_all(jpeg_decompress_struct& jpeg, const std::vector<unsigned char>& file, Picture& picture,
                bool& inverse) {
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, file.data(), static_cast<unsigned long>(file.size()));
  jpeg_read_header(&jpeg, TRUE);
  refuse_if_large(jpeg);
  inverse = jpeg.saw_Adobe_marker != FALSE;
  jpeg.out_color_space = jpeg.num_components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&jpeg);
  picture.height = jpeg.output_height;
  picture.width = jpeg.output_width;
  const std::size_t row_size = picture.width * static_cast<std::size_t>(jpeg.output_components);
  picture.values.resize(picture.height * row_size);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = picture.values.data() + jpeg.output_scanline * row_size;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
}

// The library reports by longjmp(), which passes no destructors: here and in what it calls nothing has one.
// inverse: CMYK is the inverse of ink, as Adobe has it.
bool decode(const std::vector<unsigned char>& file, Picture& picture, bool& inverse, Failure& failure) {
  jpeg_decompress_struct jpeg{};
  jpeg.err = jpeg_std_error(&failure.manager);
  failure.manager.error_exit = give_up;
  failure.manager.emit_message = take_as_error;
  if (setjmp(failure.back) != 0) {
    jpeg_destroy_decompress(&jpeg);
    return false;
  }
  decode_all(jpeg, file, picture, inverse);
  jpeg_destroy_decompress(&jpeg);
  return true;
}

}  // namespace

bool can_read_jpeg() {
  return true;
}

Picture read_jpeg(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::vector<unsigned char> bytes{std::istreambuf_iterator<char>(in),
                                         std::istreambuf_iterator<char>()};
  if (bytes.empty()) throw duet::Error("cannot read " + file.string());
  Picture picture;
  bool inverse = false;
  Failure failure;
  if (!decode(bytes, picture, inverse, failure))
    throw duet::Error(file.string() + " cannot be read as a JPEG picture: " + failure.text);
  if (picture.values.size() == 4 * picture.height * picture.width) make_rgb(picture.values, inverse);
  return picture;
}

#else

bool can_read_jpeg() {
  return false;
}

Picture read_jpeg(const std::filesystem::path& file) {
  throw duet::Error("cannot read " + file.string() + ": this program was built without libjpeg");
}

#endif

}  // namespace samples
