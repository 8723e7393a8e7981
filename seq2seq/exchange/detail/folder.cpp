#include <weft/core/detail/check.h>
#include <weft/seq2seq/exchange/detail/folder.h>

namespace weft {

void make_folder(const std::filesystem::path& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  check(!error, "export: cannot create '{}': {}", dir.string(), error.message());
}

}  // namespace weft
