// The one file of the program that compiles the JSON library, which takes seconds.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/text/json.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

namespace weft {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

Json to_tree(const JsonObject& object) {
  Json tree = Json::object();
  for (const auto& field : object)
    std::visit([&](const auto& value) { tree[field.first] = value; }, field.second);
  return tree;
}

JsonValue to_value(const std::string& key, const Json& json) {
  if (json.is_null()) return kNone;
  if (json.is_number_float()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_boolean()) return json.get<bool>() ? "true" : "false";
  const bool fits = !json.is_number_unsigned() ||
                    json.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()};
  if (json.is_number_integer() && fits) return json.get<int64_t>();
  const auto is_list = [&](auto holds) {
    return json.is_array() && std::all_of(json.begin(), json.end(), holds);
  };
  if (is_list([](const Json& item) { return item.is_string(); }))
    return json.get<std::vector<std::string>>();
  check(is_list([](const Json& item) { return item.is_number() || item.is_null(); }),
        "\"{}\" must be a number, true, false, a string or a list of numbers or strings", key);
  std::vector<double> numbers;
  for (const Json& item : json) numbers.push_back(item.is_null() ? kNone : item.get<double>());
  return numbers;
}

const JsonValue& value_at(const JsonObject& object, const std::string& key) {
  const auto found = std::find_if(object.begin(), object.end(),
                                  [&](const auto& field) { return field.first == key; });
  check(found != object.end(), "there is no \"{}\"", key);
  return found->second;
}

template <class T>
const T& typed_at(const JsonObject& object, const std::string& key, const char* type) {
  const T* value = std::get_if<T>(&value_at(object, key));
  check(value != nullptr, "\"{}\" must be {}", key, type);
  return *value;
}

}  // namespace

std::string to_json_line(const JsonObject& object) { return to_tree(object).dump(); }

std::string to_json_text(const JsonObject& object) { return to_tree(object).dump(2) + "\n"; }

JsonObject parse_json(const std::string& text) try {
  const Json tree = Json::parse(text);
  check(tree.is_object(), "the JSON must be an object");
  JsonObject object;
  for (const auto& item : tree.items())
    object.emplace_back(item.key(), to_value(item.key(), item.value()));
  return object;
} catch (const Json::exception& e) {
  fail("{}", e.what());
}

bool has(const JsonObject& object, const std::string& key) {
  return std::any_of(object.begin(), object.end(),
                     [&](const auto& field) { return field.first == key; });
}

int64_t integer_at(const JsonObject& object, const std::string& key) {
  return typed_at<int64_t>(object, key, "a whole number");
}

double number_at(const JsonObject& object, const std::string& key) {
  if (const auto* whole = std::get_if<int64_t>(&value_at(object, key)))
    return static_cast<double>(*whole);
  return typed_at<double>(object, key, "a number");
}

const std::string& string_at(const JsonObject& object, const std::string& key) {
  return typed_at<std::string>(object, key, "a string");
}

std::string text_at(const JsonObject& object, const std::string& key) {
  const JsonValue& value = value_at(object, key);
  if (const auto* whole = std::get_if<int64_t>(&value)) return std::to_string(*whole);
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  return string_at(object, key);
}

const std::vector<std::string>& strings_at(const JsonObject& object, const std::string& key) {
  return typed_at<std::vector<std::string>>(object, key, "a list of strings");
}

std::vector<double> numbers_at(const JsonObject& object, const std::string& key) {
  const auto* strings = std::get_if<std::vector<std::string>>(&value_at(object, key));
  if (strings && strings->empty()) return {};
  return typed_at<std::vector<double>>(object, key, "a list of numbers");
}

}  // namespace weft
