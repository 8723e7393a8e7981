// Small JSON files: one flat object of numbers, strings and lists of either, keys in order, so that
// people can read them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace weft {

/// Null stands for a number that is not finite; true and false are read as these words.
using JsonValue =
    std::variant<int64_t, double, std::string, std::vector<std::string>, std::vector<double>>;
using JsonObject = std::vector<std::pair<std::string, JsonValue>>;

/// {"step":20,"loss":3.5}
std::string to_json_line(const JsonObject& object);
/// The same with a line for each value and a line feed at the end.
std::string to_json_text(const JsonObject& object);

/// Throws Error if `text` is no JSON, or no object of such values.
JsonObject parse_json(const std::string& text);

bool has(const JsonObject& object, const std::string& key);
/// The value under `key`. Throw Error if there is none, or one of another type.
int64_t integer_at(const JsonObject& object, const std::string& key);
double number_at(const JsonObject& object, const std::string& key);
const std::string& string_at(const JsonObject& object, const std::string& key);
/// A number or a string, as text.
std::string text_at(const JsonObject& object, const std::string& key);
/// Lists: an empty one is of either kind.
const std::vector<std::string>& strings_at(const JsonObject& object, const std::string& key);
std::vector<double> numbers_at(const JsonObject& object, const std::string& key);

}  // namespace weft
