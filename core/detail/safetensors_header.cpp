#include <weft/core/checksum.h>
#include <weft/core/detail/check.h>
#include <weft/core/detail/safetensors_header.h>
#include <weft/core/detail/shortened.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

namespace weft {
namespace {

using Json = nlohmann::ordered_json;

struct TypeName {
  StoredType type;
  const char* name;
  DType loaded;
  size_t bytes;
};
constexpr std::array<TypeName, 6> kTypes{{{StoredType::f64, "F64", kFloat64, 8},
                                          {StoredType::i64, "I64", kInt64, 8},
                                          {StoredType::f32, "F32", kFloat32, 4},
                                          {StoredType::f16, "F16", kFloat32, 2},
                                          {StoredType::bf16, "BF16", kFloat32, 2},
                                          {StoredType::boolean, "BOOL", kBool, 1}}};

const TypeName& describe(StoredType type) { return kTypes[static_cast<size_t>(type)]; }

// Fills a SafetensorsHeader from the events of the parser: a tree would keep only the last of
// duplicate keys, and memory would be spent before anything is known to be valid.
class Reader final : public nlohmann::json_sax<Json> {
 public:
  explicit Reader(std::string where) : where_(std::move(where)) {}
  SafetensorsHeader take() { return std::move(header_); }

  bool start_object(size_t) override {
    if (in_list_ || depth_ == 2) unexpected("an object");
    if (++depth_ == 2 && !in_metadata()) {
      header_.tensors.emplace_back().name = keys_[0];
      offsets_.clear();
      shape_.clear();
    }
    seen_.emplace_back();
    return true;
  }
  bool key(std::string& name) override {
    keys_.resize(depth_ - 1);
    keys_.push_back(name);
    if (!seen_.back().insert(name).second) fault("duplicate key \"{}\"", path());
    return true;
  }
  bool end_object() override {
    if (depth_ == 2 && !in_metadata()) finish_tensor();
    --depth_;
    keys_.resize(depth_);
    seen_.pop_back();
    return true;
  }
  bool start_array(size_t) override {
    if (in_list_ || !(field() == "shape" || field() == "data_offsets")) unexpected("a list");
    in_list_ = true;
    return true;
  }
  bool end_array() override {
    in_list_ = false;
    return true;
  }
  bool string(std::string& value) override {
    if (depth_ == 2 && in_metadata())
      header_.metadata[keys_[1]] = value;
    else if (field() == "dtype" && !in_list_)
      header_.tensors.back().type = parse_type(value);
    else
      unexpected("a string");
    return true;
  }
  bool number_unsigned(uint64_t value) override {
    if (!in_list_) unexpected("a number");
    std::vector<uint64_t>& list = field() == "shape" ? shape_ : offsets_;
    const size_t most = field() == "shape" ? kMaxRank : 2;
    if (list.size() == most) fault("{} has more than {} entries", path(), most);
    list.push_back(value);
    return true;
  }
  bool number_integer(int64_t) override { unexpected("a negative number"); }
  bool number_float(double, const std::string&) override {
    unexpected("a number that is no 64-bit integer");
  }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool null() override { unexpected("null"); }
  bool binary(Json::binary_t&) override { unexpected("binary data"); }
  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    fault("the header is not valid JSON at byte {}", position);
  }

 private:
  static constexpr const char* kMetadata = "__metadata__";

  template <class... Args>
  [[noreturn]] void fault(fmt::format_string<Args...> format, Args&&... args) const {
    fail("{}: {}", where_, fmt::format(format, std::forward<Args>(args)...));
  }
  [[noreturn]] void unexpected(const char* what) const {
    fault("unexpected {} in the header{}", what, keys_.empty() ? "" : " at " + path());
  }
  std::string path() const { return shortened(fmt::format("{}", fmt::join(keys_, "/"))); }
  bool in_metadata() const { return keys_[0] == kMetadata; }
  // The key of a tensor's entry that is being read, or "".
  std::string field() const { return depth_ == 2 && !in_metadata() ? keys_[1] : ""; }

  StoredType parse_type(const std::string& name) const {
    for (const TypeName& t : kTypes)
      if (t.name == name) return t.type;
    fault("tensor \"{}\" has dtype {}; supported are F64, F32, F16, BF16, I64, BOOL",
          shortened(keys_[0]), shortened(name));
  }

  void finish_tensor() {
    StoredTensor& t = header_.tensors.back();
    const std::set<std::string> wanted{"data_offsets", "dtype", "shape"};
    if (seen_.back() != wanted)
      fault("tensor \"{}\" must have dtype, shape and data_offsets; got {}", shortened(t.name),
            shortened(fmt::format("{}", fmt::join(seen_.back(), ", "))));
    if (offsets_.size() != 2) fault("tensor \"{}\" must have two data_offsets", shortened(t.name));
    t.begin = offsets_[0];
    t.end = offsets_[1];
    for (uint64_t d : shape_) {
      if (d > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        fault("tensor \"{}\" has a dim of {}", shortened(t.name), d);
      t.shape.push_back(static_cast<int64_t>(d));
    }
  }

  std::string where_;
  SafetensorsHeader header_;
  size_t depth_ = 0;
  std::vector<std::string> keys_;            // of the objects that are open
  std::vector<std::set<std::string>> seen_;  // their keys so far
  bool in_list_ = false;
  std::vector<uint64_t> shape_, offsets_;
};

// Zero sizes count as 1 for the overflow check: strides are products of the other sizes.
uint64_t checked_bytes(const std::string& where, const StoredTensor& t) {
  int64_t bytes = static_cast<int64_t>(size_of(t.type));
  bool empty = false;
  for (int64_t d : t.shape) {
    empty = empty || d == 0;
    check(!__builtin_mul_overflow(bytes, std::max<int64_t>(d, 1), &bytes),
          "{}: tensor \"{}\" of shape {} is too large", where, shortened(t.name), t.shape);
  }
  return empty ? 0 : static_cast<uint64_t>(bytes);
}

void check_layout(const std::string& where, const std::vector<StoredTensor>& tensors,
                  uint64_t data_bytes) {
  std::vector<const StoredTensor*> sorted;
  sorted.reserve(tensors.size());
  for (const StoredTensor& t : tensors) sorted.push_back(&t);
  std::stable_sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t at = 0;
  for (const StoredTensor* t : sorted) {
    check(t->begin == at, "{}: tensor \"{}\" starts at byte {}; the one before it ends at {}",
          where, shortened(t->name), t->begin, at);
    check(t->end >= t->begin && t->end - t->begin == checked_bytes(where, *t),
          "{}: tensor \"{}\" of shape {} cannot occupy bytes {} to {}", where, shortened(t->name),
          t->shape, t->begin, t->end);
    at = t->end;
  }
  check(at == data_bytes, "{}: tensors take {} bytes; the file holds {}", where, at, data_bytes);
}

// The header's JSON, with `checksums` among its metadata unless that is empty.
std::string to_json(const std::string& where, const SafetensorsHeader& header,
                    const std::string& checksums) {
  Json json = Json::object();
  std::map<std::string, std::string> metadata = header.metadata;
  if (!checksums.empty()) metadata[kChecksumKey] = checksums;
  if (!metadata.empty()) json["__metadata__"] = metadata;
  for (const StoredTensor& t : header.tensors)
    json[t.name] = {{"dtype", describe(t.type).name},
                    {"shape", std::vector<int64_t>(t.shape.begin(), t.shape.end())},
                    {"data_offsets", {t.begin, t.end}}};
  try {
    return json.dump();
  } catch (const Json::exception&) {
    fail("{}: names and metadata must be valid UTF-8", where);
  }
}

// The header's own comes first and covers the others.
std::string checksums_of(const std::string& where, const SafetensorsHeader& header) {
  if (!header.has_checksums) return "";
  std::string of_tensors;
  for (const StoredTensor& t : header.tensors) of_tensors += fmt::format(" {:08x}", t.crc32c);
  return fmt::format("{:08x}{}", crc32c(to_json(where, header, of_tensors)), of_tensors);
}

// Moves the checksums out of the metadata to the tensors.
void take_checksums(const std::string& where, SafetensorsHeader& header) {
  const auto entry = header.metadata.find(kChecksumKey);
  if (entry == header.metadata.end()) return;
  const std::string saved = entry->second;
  header.metadata.erase(entry);
  header.has_checksums = true;
  const char* const end = saved.data() + saved.size();
  size_t at = 9;  // behind the header's own and a space
  for (StoredTensor& t : header.tensors) {
    if (at < saved.size()) std::from_chars(saved.data() + at, end, t.crc32c, 16);
    at += 9;
  }
  check(checksums_of(where, header) == saved,
        "{}: the header is damaged, or written by another program: its checksum is wrong", where);
}

}  // namespace

DType loaded_dtype(StoredType type) { return describe(type).loaded; }

size_t size_of(StoredType type) { return describe(type).bytes; }

StoredType stored_type(DType dtype) {
  switch (dtype) {
    case kFloat64:
      return StoredType::f64;
    case kInt64:
      return StoredType::i64;
    case kFloat32:
      return StoredType::f32;
    default:
      return StoredType::boolean;
  }
}

SafetensorsHeader parse_safetensors_header(const std::string& where, std::string_view text,
                                           uint64_t data_bytes) {
  check(!text.empty() && text.front() == '{', "{}: the header must be a JSON object", where);
  const size_t nul = text.find('\0');  // where the parser would stop
  check(nul == text.npos, "{}: the header is not valid JSON at byte {}", where, nul + 1);
  Reader reader(where);
  Json::sax_parse(text, &reader);
  SafetensorsHeader header = reader.take();
  check_layout(where, header.tensors, data_bytes);
  take_checksums(where, header);
  return header;
}

std::string format_safetensors_header(const std::string& where, const SafetensorsHeader& header) {
  check(!header.metadata.contains(kChecksumKey), "{}: the metadata must not have a \"{}\"", where,
        kChecksumKey);
  std::string text = to_json(where, header, checksums_of(where, header));
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace weft
