#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/core/atomic_file.h>
#include <weft/core/checksum.h>
#include <weft/core/detail/check.h>
#include <weft/core/detail/safetensors_header.h>
#include <weft/core/detail/shortened.h>
#include <weft/core/nearest.h>
#include <weft/core/parallel.h>
#include <weft/core/serialize.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>

namespace weft {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kBlock = 1 << 18;  // bytes: what was read is still in cache when it is summed up

Tensor row_major(const Tensor& t) {
  if (t.is_contiguous()) return t;
  return dispatch(t.dtype(), [&](auto tag) {
    return from_vector(t.to_vector<typename decltype(tag)::type>(), t.shape());
  });
}

// Widest elements first: readers that map the file, PyTorch's among them, want each tensor aligned
// to its elements.
std::vector<size_t> aligned_order(const NamedTensors& tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return size_of(tensors[a].tensor.dtype()) > size_of(tensors[b].tensor.dtype());
  });
  return order;
}

size_t byte_count(const Tensor& t) { return static_cast<size_t>(t.numel()) * size_of(t.dtype()); }

NamedTensors row_major(const std::string& where, const NamedTensors& tensors) {
  NamedTensors all;
  for (const NamedTensor& t : tensors) {
    check(t.tensor.defined(), "{}: tensor \"{}\" is undefined", where, t.name);
    all.push_back({t.name, row_major(t.tensor)});
  }
  return all;
}

SafetensorsHeader lay_out(const std::string& where, const NamedTensors& tensors,
                          const Metadata& metadata, const std::vector<size_t>& order) {
  SafetensorsHeader header{{}, metadata, true};
  std::set<std::string> names{"__metadata__"};
  for (const NamedTensor& t : tensors) {
    check(names.insert(t.name).second, "{}: the name \"{}\" is taken", where, t.name);
    header.tensors.push_back({t.name, stored_type(t.tensor.dtype()), t.tensor.shape()});
  }
  uint64_t at = 0;
  for (size_t i : order) {
    header.tensors[i].begin = at;
    header.tensors[i].end = at += byte_count(tensors[i].tensor);
  }
  parallel_for(std::ssize(tensors), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      header.tensors[i].crc32c = crc32c(tensors[i].tensor.raw(), byte_count(tensors[i].tensor));
  });
  return header;
}

class InputFile {
 public:
  explicit InputFile(const std::string& path)
      : where_(fmt::format("load_safetensors: {}", path)),
        descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (descriptor_ < 0) fail("{}: {}", where_, std::strerror(errno));
    struct stat status {};
    if (::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode))
      bytes_ = static_cast<uint64_t>(status.st_size);
    else
      not_a_file();
  }
  ~InputFile() { ::close(descriptor_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& where() const { return where_; }
  uint64_t bytes() const { return bytes_; }

  // The CRC-32C of what was read.
  uint32_t read(void* to, size_t n, uint64_t from) const {
    uint32_t sum = 0;
    for (size_t at = 0; at < n; at += kBlock) {
      char* const block = static_cast<char*>(to) + at;
      const size_t bytes = std::min(kBlock, n - at);
      read_block(block, bytes, from + at);
      sum = crc32c(block, bytes, sum);
    }
    return sum;
  }

 private:
  void read_block(void* to, size_t n, uint64_t from) const {
    while (n > 0) {
      const ssize_t got = ::pread(descriptor_, to, n, static_cast<off_t>(from));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail("{}: {}", where_, std::strerror(errno));
      if (got == 0) fail("{}: the file became shorter while it was read", where_);
      to = static_cast<char*>(to) + got;
      from += static_cast<uint64_t>(got);
      n -= static_cast<size_t>(got);
    }
  }

  [[noreturn]] void not_a_file() const {
    ::close(descriptor_);  // the destructor of a half-made object does not run
    fail("{}: not a regular file", where_);
  }

  std::string where_;
  int descriptor_;
  uint64_t bytes_ = 0;
};

float widen_bfloat16(uint16_t bits) { return __builtin_bit_cast(float, uint32_t{bits} << 16); }

// 1 sign bit, 5 of exponent (bias 15), 10 of fraction.
float widen_float16(uint16_t bits) {
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  float magnitude;
  if (exponent == 31)
    magnitude = fraction ? NAN : INFINITY;
  else if (exponent == 0)
    magnitude = std::ldexp(static_cast<float>(fraction), -24);
  else
    magnitude = std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  return (bits >> 15) ? -magnitude : magnitude;
}

// The elements of a tensor as stored, into `t`; their checksum.
uint32_t read_half(const InputFile& file, const StoredTensor& stored, uint64_t from, Tensor& t) {
  std::vector<uint16_t> half(static_cast<size_t>(stored.end - stored.begin) / 2);
  const uint32_t sum = file.read(half.data(), half.size() * 2, from);
  std::transform(half.begin(), half.end(), t.mutable_data<float>(),
                 stored.type == StoredType::f16 ? widen_float16 : widen_bfloat16);
  return sum;
}

uint32_t read_tensor(const InputFile& file, const StoredTensor& stored, uint64_t from, Tensor& t) {
  if (size_of(stored.type) == 2) return read_half(file, stored, from, t);
  const size_t bytes = byte_count(t);
  const uint32_t sum = file.read(t.raw(), bytes, from);
  const auto* raw = static_cast<const unsigned char*>(t.raw());
  if (stored.type == StoredType::boolean)
    check(std::all_of(raw, raw + bytes, [](unsigned char b) { return b <= 1; }),
          "{}: tensor \"{}\" is BOOL but holds bytes other than 0 and 1", file.where(),
          shortened(stored.name));
  return sum;
}

Tensors read_tensors(const InputFile& file, const std::vector<StoredTensor>& stored,
                     uint64_t data_start, bool has_checksums) {
  Tensors tensors;
  for (const StoredTensor& s : stored) tensors.emplace_back(s.shape, loaded_dtype(s.type));
  parallel_for(std::ssize(stored), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const uint32_t sum = read_tensor(file, stored[i], data_start + stored[i].begin, tensors[i]);
      check(!has_checksums || sum == stored[i].crc32c,
            "{}: tensor \"{}\" is damaged: its CRC-32C is {:08x}; it was written with {:08x}",
            file.where(), shortened(stored[i].name), sum, stored[i].crc32c);
    }
  });
  return tensors;
}

}  // namespace

bool SafetensorsFile::contains(std::string_view name) const {
  return std::any_of(tensors.begin(), tensors.end(),
                     [&](const NamedTensor& t) { return t.name == name; });
}

const Tensor& SafetensorsFile::at(std::string_view name) const {
  for (const NamedTensor& t : tensors)
    if (t.name == name) return t.tensor;
  std::vector<std::string> known;
  for (const NamedTensor& t : tensors) known.push_back(t.name);
  fail("{}: no tensor is named \"{}\"{}", path, name, nearest(std::string(name), known));
}

void save_safetensors(const std::string& path, const NamedTensors& tensors,
                      const Metadata& metadata) {
  const std::string where = fmt::format("save_safetensors: {}", path);
  const NamedTensors all = row_major(where, tensors);
  const std::vector<size_t> order = aligned_order(all);
  const std::string header = format_safetensors_header(where, lay_out(where, all, metadata, order));
  const uint64_t header_bytes = header.size();
  AtomicFile file("save_safetensors", path);
  file.write(&header_bytes, sizeof header_bytes);
  file.write(header.data(), header.size());
  for (size_t i : order) file.write(all[i].tensor.raw(), byte_count(all[i].tensor));
  file.commit();
}

SafetensorsFile load_safetensors(const std::string& path, std::string_view prefix) {
  const InputFile file(path);
  uint64_t header_bytes = 0;
  check(file.bytes() >= 8, "{}: expected at least 8 bytes; got {}", file.where(), file.bytes());
  file.read(&header_bytes, 8, 0);
  check(header_bytes <= kMaxHeaderBytes, "{}: the header may have at most {} bytes; got {}",
        file.where(), kMaxHeaderBytes, header_bytes);
  check(header_bytes <= file.bytes() - 8, "{}: the header claims {} bytes; only {} follow",
        file.where(), header_bytes, file.bytes() - 8);
  std::string text(static_cast<size_t>(header_bytes), '\0');
  file.read(text.data(), text.size(), 8);
  const uint64_t data_start = 8 + header_bytes;
  SafetensorsHeader header =
      parse_safetensors_header(file.where(), text, file.bytes() - data_start);
  std::vector<std::string> others;
  std::vector<StoredTensor> wanted;
  for (StoredTensor& stored : header.tensors)
    if (stored.name.starts_with(prefix))
      wanted.push_back(std::move(stored));
    else
      others.push_back(std::move(stored.name));
  check(prefix.empty() || !wanted.empty(), "{}: no tensor's name begins with \"{}\"{}",
        file.where(), prefix, nearest(std::string(prefix), others));
  const Tensors tensors = read_tensors(file, wanted, data_start, header.has_checksums);
  SafetensorsFile result{path, {}, std::move(header.metadata), header.has_checksums};
  for (size_t i = 0; i < wanted.size(); ++i)
    result.tensors.push_back({wanted[i].name.substr(prefix.size()), tensors[i]});
  return result;
}

}  // namespace weft
