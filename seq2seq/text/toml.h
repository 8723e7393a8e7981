// Small TOML files: one flat table of numbers, strings, true and false.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace weft {

struct TomlEntry {
  std::string key, text;  ///< the value as a person would write it, a string without its quotes
  size_t line = 0;
};

/// In order of the file. Throws an error with the name of the file and the line where `text` is no
/// TOML, or holds more than such values.
std::vector<TomlEntry> parse_toml(const std::string& text, const std::string& file);

/// `value` as TOML writes a string, with quotes.
std::string toml_string(const std::string& value);

}  // namespace weft
