// Plain values in a row of bytes, from one process of a run to another.
#pragma once

#include <weft/core/detail/check.h>

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace weft {

template <class T>
concept PlainValue = std::is_trivially_copyable_v<T>;

inline void append_bytes(std::string& bytes, const PlainValue auto& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void append_bytes(std::string& bytes, const std::string& text) {
  append_bytes(bytes, text.size());
  bytes += text;
}
template <class T>
void append_bytes(std::string& bytes, const std::optional<T>& value) {
  append_bytes(bytes, value.has_value());
  if (value) append_bytes(bytes, *value);
}
template <class T>
void append_bytes(std::string& bytes, const std::vector<T>& values) {
  append_bytes(bytes, values.size());
  for (const T& value : values) append_bytes(bytes, value);
}

/// All of them, one after another.
template <class... Values>
std::string to_bytes(const Values&... values) {
  std::string bytes;
  (append_bytes(bytes, values), ...);
  return bytes;
}

/// Takes the values out again; the bytes must outlive it.
class FromBytes {
 public:
  explicit FromBytes(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T get() {
    T value{};
    take(value);
    return value;
  }
  template <class... Values>
  void take_all(Values&... values) {
    (take(values), ...);
  }
  bool done() const { return rest_.empty(); }
  std::string_view next(size_t n) {
    invariant(n <= rest_.size(), "bytes of another process end too soon");
    const std::string_view front = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return front;
  }

 private:
  void take(PlainValue auto& value) {
    std::memcpy(static_cast<void*>(&value), next(sizeof value).data(), sizeof value);
  }
  void take(std::string& text) { text = next(get<size_t>()); }
  template <class T>
  void take(std::optional<T>& value) {
    if (get<bool>()) value = get<T>();
  }
  template <class T>
  void take(std::vector<T>& values) {
    for (auto n = get<size_t>(); n > 0; --n) values.push_back(get<T>());
  }

  std::string_view rest_;
};

}  // namespace weft
