#include <fmt/ranges.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/settings/setting.h>
#include <weft/seq2seq/text/detail/parse_number.h>

#include <algorithm>
#include <type_traits>

namespace weft {
namespace {

// A zero before another digit means base 8 to some, and nothing to others.
bool has_leading_zero(const std::string& text) {
  const size_t first = text.starts_with('-') ? 1 : 0;
  return text.size() > first + 1 && text[first] == '0' && text[first + 1] >= '0' &&
         text[first + 1] <= '9';
}

template <class T>
T number_of(const std::string& name, const std::string& text) {
  T value{};
  check(parse_number(text, value) && !has_leading_zero(text), "{}: must be {}; got '{}'", name,
        std::is_integral_v<T> ? "a whole number of at most 18 digits, without leading zeros"
                              : "a number, without leading zeros",
        text);
  return value;
}

}  // namespace

bool Range::has(double value) const {
  return (with_least ? value >= least : value > least) &&
         (with_most ? value <= most : value < most);
}

std::string Range::to_string() const {
  return fmt::format("{}{}, {}{}", with_least ? '[' : '(', least, most, with_most ? ']' : ')');
}

AnySetting::AnySetting(SettingGroup& group, SettingInfo info) : info_(std::move(info)) {
  group.places_.push_back(reinterpret_cast<char*>(this) - reinterpret_cast<char*>(&group));
}

void AnySetting::give(const std::string& text) {
  read(text);
  check_range();
  origin_ = Origin::kUser;
}

void AnySetting::suggest(const std::string& text) {
  if (origin_ == Origin::kUser) return;
  read(text);
  origin_ = Origin::kTask;
}

void AnySetting::fit(const std::string& text) {
  if (origin_ == Origin::kUser || origin_ == Origin::kTask) return;
  read(text);
  origin_ = Origin::kCorpus;
}

std::vector<AnySetting*> SettingGroup::settings() {
  std::vector<AnySetting*> all;
  for (const std::ptrdiff_t place : places_)
    all.push_back(reinterpret_cast<AnySetting*>(reinterpret_cast<char*>(this) + place));
  return all;
}

std::vector<const AnySetting*> SettingGroup::settings() const {
  const std::vector<AnySetting*> all = const_cast<SettingGroup*>(this)->settings();
  return {all.begin(), all.end()};
}

template <class T>
void Setting<T>::read(const std::string& text) {
  check(!text.empty(), "{}: must not be empty", info().name);
  if constexpr (std::is_same_v<T, std::string>) {
    value_ = text;
  } else if constexpr (std::is_same_v<T, bool>) {
    check(text == "true" || text == "false", "{}: must be true or false; got '{}'", info().name,
          text);
    value_ = text == "true";
  } else {
    value_ = number_of<T>(info().name, text);
  }
}

template <class T>
std::string Setting<T>::text() const {
  return fmt::format("{}", value_);
}

template <class T>
void Setting<T>::check_range() const {
  if constexpr (std::is_same_v<T, std::string>) {
    const std::vector<std::string>& words = info().choices;
    check(words.empty() || std::find(words.begin(), words.end(), value_) != words.end(),
          "{}: must be one of {}; got '{}'", info().name, fmt::join(words, ", "), value_);
  } else if constexpr (!std::is_same_v<T, bool>) {
    check(info().range.has(static_cast<double>(value_)), "{}: must be in {}; got {}", info().name,
          info().range.to_string(), value_);
  }
}

template class Setting<int64_t>;
template class Setting<double>;
template class Setting<bool>;
template class Setting<std::string>;

}  // namespace weft
