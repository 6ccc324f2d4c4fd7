#include "jpeg.h"

#include <string>

#include "duet/error.h"

#ifdef DUET_SAMPLE_JPEG
#include <csetjmp>
#include <cstdio>
#include <fstream>
#include <iterator>

#include <jpeglib.h>  // wants <cstdio> before it
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
void stay_silent(j_common_ptr /*jpeg*/, int /*level*/) {}

constexpr std::size_t kColours = 3;

// Adobe's CMYK is the inverse of ink.
void make_rgb(std::vector<std::uint8_t>& values) {
  std::size_t to = 0;
  for (std::size_t from = 0; from < values.size(); from += 4) {
    const unsigned black = values[from + 3];
    for (std::size_t k = 0; k < kColours; ++k)
      values[to++] = static_cast<std::uint8_t>(values[from + k] * black / 255U);
  }
  values.resize(to);
}

void decode_all(jpeg_decompress_struct& jpeg, const std::vector<unsigned char>& file, Picture& picture) {
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, file.data(), static_cast<unsigned long>(file.size()));
  jpeg_read_header(&jpeg, TRUE);
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

// The library reports by longjmp(), which passes no destructors: here and in decode_all() nothing has one.
bool decode(const std::vector<unsigned char>& file, Picture& picture, Failure& failure) {
  jpeg_decompress_struct jpeg{};
  jpeg.err = jpeg_std_error(&failure.manager);
  failure.manager.error_exit = give_up;
  failure.manager.emit_message = stay_silent;
  if (setjmp(failure.back) != 0) {
    jpeg_destroy_decompress(&jpeg);
    return false;
  }
  decode_all(jpeg, file, picture);
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
  Failure failure;
  if (!decode(bytes, picture, failure))
    throw duet::Error(file.string() + " is no JPEG picture: " + failure.text);
  if (picture.values.size() == 4 * picture.height * picture.width) make_rgb(picture.values);
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
