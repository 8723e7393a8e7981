// NumPy's files: npy 1.0, and a ZIP archive (PKWARE's APPNOTE 6.3) of them, stored as they are.
#include <fmt/format.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/lab/formats.h>
#include <weft/seq2seq/text/utf8.h>

#include <array>
#include <bit>
#include <cstring>
#include <limits>

namespace weft {
namespace {

static_assert(std::endian::native == std::endian::little, "both formats are little-endian");

template <class T>
void put(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// The checksum of ISO 3309, polynomial 0xedb88320 with its bits reversed.
uint32_t crc32(const std::string& bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = t[i] >> 1 ^ (t[i] & 1 ? 0xedb88320u : 0u);
    }
    return t;
  }();
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

std::string npy(const std::string& type, const Shape& shape, const std::string& data) {
  std::string dims;
  for (int i = 0; i < shape.rank(); ++i) dims += fmt::format("{},", shape[i]);
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, dims);
  constexpr size_t kBefore = 10, kAlign = 64;  // magic, version, length; data starts aligned
  header.append(kAlign - 1 - (kBefore + header.size()) % kAlign, ' ').append("\n");
  std::string bytes("\x93NUMPY\x01\x00", 8);
  put(bytes, static_cast<uint16_t>(header.size()));
  return bytes + header + data;
}

std::string npy(const Tensor& x) {
  const std::vector<float> values = x.to_vector<float>();
  return npy("<f4", x.shape(),
             {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
}

// Strings of UTF-32, all as long as the longest.
std::string npy(const std::vector<std::string>& texts) {
  std::vector<std::u32string> wide;
  size_t longest = 1;
  for (const std::string& text : texts)
    longest = std::max(longest, wide.emplace_back(decode_utf8(text)).size());
  std::string data;
  for (std::u32string& text : wide) {
    text.resize(longest);
    data.append(reinterpret_cast<const char*>(text.data()), longest * sizeof(char32_t));
  }
  return npy(fmt::format("<U{}", longest), {std::ssize(texts)}, data);
}

class Zip {
 public:
  void add(const std::string& name, const std::string& bytes) {
    constexpr size_t kLargest = std::numeric_limits<uint32_t>::max();
    check(file_.size() + bytes.size() + directory_.size() < kLargest / 2 && files_ < 0xffff,
          "lab: too much for an npz file: {} bytes in {} arrays; show fewer sentences",
          file_.size() + bytes.size(), files_);
    const auto offset = static_cast<uint32_t>(file_.size());
    std::string fields;                 // what both headers share
    put<uint16_t>(fields, 20);          // version needed
    put<uint16_t>(fields, 0x0800);      // names are UTF-8
    put<uint16_t>(fields, 0);           // stored
    put<uint32_t>(fields, 0x00210000);  // 1980-01-01: the same report gives the same bytes
    put(fields, crc32(bytes));
    put(fields, static_cast<uint32_t>(bytes.size()));
    put(fields, static_cast<uint32_t>(bytes.size()));
    put(fields, static_cast<uint16_t>(name.size()));
    put<uint16_t>(fields, 0);  // extra
    put<uint32_t>(file_, 0x04034b50);
    file_ += fields + name + bytes;
    put<uint32_t>(directory_, 0x02014b50);
    put<uint16_t>(directory_, 20);  // version made by
    directory_ += fields;
    directory_.append(10, '\0');  // comment, disk, attributes
    put(directory_, offset);
    directory_ += name;
    ++files_;
  }

  std::string bytes() && {
    const auto offset = static_cast<uint32_t>(file_.size());
    file_ += directory_;
    put<uint32_t>(file_, 0x06054b50);
    put<uint32_t>(file_, 0);  // disks
    put(file_, files_);
    put(file_, files_);
    put(file_, static_cast<uint32_t>(directory_.size()));
    put(file_, offset);
    put<uint16_t>(file_, 0);  // comment
    return std::move(file_);
  }

 private:
  std::string file_, directory_;
  uint16_t files_ = 0;
};

Tensor tensor_of(const std::vector<double>& values) {
  return from_vector(values, {std::ssize(values)});
}

void add_sentence(const std::string& start, const SentenceReport& s, Zip& zip) {
  const auto add = [&](const std::string& name, const auto& array) {
    zip.add(start + name + ".npy", npy(array));
  };
  add("source", s.source);
  add("target", s.target);
  add("predicted", s.predicted);
  add("log_probs", tensor_of(s.log_probs));
  for (const Measured& m : s.measured) {
    for (const Maps& maps : m.maps)
      add(fmt::format("{}/{}", m.measure->name, to_string(maps.place)), stack(maps.layers, 0));
    for (const TokenNumbers& found : m.tokens)
      add(fmt::format("{}/{}", m.measure->name, found.side == Place::encoder ? "source" : "target"),
          found.values);
  }
}

}  // namespace

std::string to_npz(const Report& report) {
  Zip zip;
  for (size_t i = 0; i < report.sentences.size(); ++i)
    add_sentence(fmt::format("{}/", i), report.sentences[i], zip);
  for (const Place place : report.heads.places())
    for (int n = 0; n < HeadTable::kNumbers; ++n) {
      Tensors layers;
      for (const auto& heads : report.heads.average(place, static_cast<HeadTable::Number>(n)))
        layers.push_back(tensor_of(heads));
      zip.add(fmt::format("heads/{}/{}.npy", to_string(place), HeadTable::kNames[n]),
              npy(stack(layers, 0)));
    }
  return std::move(zip).bytes();
}

}  // namespace weft
