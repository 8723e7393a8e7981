// The one file of the program that compiles the TOML library, which takes seconds.
#include <toml++/toml.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/text/toml.h>

#include <algorithm>
#include <sstream>

namespace weft {
namespace {

std::string text_of(const toml::node& node, const std::string& key) {
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* value = node.as_integer()) return std::to_string(value->get());
  if (const auto* value = node.as_floating_point()) return fmt::format("{}", value->get());
  if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
  fail("{}: must be a number, a string, true or false", key);
}

}  // namespace

std::vector<TomlEntry> parse_toml(const std::string& text, const std::string& file) {
  std::vector<TomlEntry> entries;
  size_t line = 0;
  try {
    const toml::table table = toml::parse(text);
    for (const auto& [key, node] : table) {
      line = node.source().begin.line;
      entries.push_back({std::string(key.str()), text_of(node, std::string(key.str())), line});
    }
  } catch (const toml::parse_error& e) {
    fail("{}, line {}: {}", file, e.source().begin.line, e.description());
  } catch (const Error& e) {
    fail("{}, line {}: {}", file, line, e.what());
  }
  std::sort(entries.begin(), entries.end(),
            [](const TomlEntry& a, const TomlEntry& b) { return a.line < b.line; });
  return entries;
}

std::string toml_string(const std::string& value) {
  std::ostringstream out;
  out << toml::value<std::string>(value);
  return out.str();
}

}  // namespace weft
