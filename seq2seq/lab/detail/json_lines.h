// Files of JSON objects, one a line, that may have been damaged.
#pragma once

#include <weft/seq2seq/text/json.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace weft::detail {

/// take(object, number) for each line, counted from 1. A line that is no such object, or that
/// `take` throws an Error of, is left out, with a line in `notes` for the first few of them. There
/// may be no such file.
void for_each_line(const std::filesystem::path& file, std::vector<std::string>& notes,
                   const std::function<void(const JsonObject& line, int64_t number)>& take);

}  // namespace weft::detail
