// Random bytes as the config.json of a model: refused with an Error, or settings that are valid and
// come back from a file that they are written to.
#include <weft/core/error.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/tests/fuzz/readers/memory_file.h>

#include <fstream>

using weft::fuzz::require;

namespace {

// In memory where the system has such a folder.
std::filesystem::path folder() {
  const std::filesystem::path shared = "/dev/shm";
  const auto base = exists(shared) ? shared : std::filesystem::temp_directory_path();
  const auto path = base / ("weft_fuzz_" + std::to_string(getpid()));
  create_directories(path);
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::filesystem::path kFolder = folder();
  std::ofstream(kFolder / "config.json", std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    const weft::ModelConfig c = weft::load_config(kFolder);
    weft::validate(c);
    weft::save_config(kFolder, c);
    const weft::ModelConfig again = weft::load_config(kFolder);
    require(again.d_model == c.d_model.value() && again.heads == c.heads.value() &&
            again.dropout == c.dropout.value());
  } catch (const weft::Error& e) {
    require(*e.what() != '\0');
  }
  return 0;
}
