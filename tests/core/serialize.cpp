// safetensors files: what Python wrote is read, what is written reads back, and every kind of
// damage is refused with the name of the file and the fault.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/core/atomic_file.h>
#include <weft/core/serialize.h>
#include <weft/tests/catch.h>
#include <weft/tests/flips.h>
#include <weft/tests/places.h>
#include <weft/tests/temp_dir.h>
#include <weft/tests/unsealed.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>

using namespace weft;
using Catch::Matchers::Contains;

namespace {

std::string fixture(const std::string& name) { return test_data(name); }

// A file of this header and `data_bytes` zeros.
std::string file_of(const std::string& header, size_t data_bytes) {
  const uint64_t n = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &n, 8);
  return bytes + header + std::string(data_bytes, '\0');
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, dtype, shape,
                     offsets);
}

std::string object(const std::vector<std::string>& entries) {
  return fmt::format("{{{}}}", fmt::join(entries, ","));
}

std::string fault_of(const std::string& bytes) {
  const TempDir dir;
  const std::string path = dir.write("bad.safetensors", bytes);
  const std::string message = message_of([&] { load_safetensors(path); });
  const std::string start = fmt::format("load_safetensors: {}: ", path);
  INFO(message);
  REQUIRE(message.compare(0, start.size(), start) == 0);
  REQUIRE(message.find('\n') == std::string::npos);
  return message.substr(start.size());
}

std::string fault_of_header(const std::string& header, size_t data_bytes = 0) {
  return fault_of(file_of(header, data_bytes));
}

}  // namespace

TEST_CASE("a file that Python wrote is read, whatever its dtypes and names") {
  const SafetensorsFile file = load_safetensors(fixture("reader_dtypes.safetensors"));
  const std::string odd = "größe \"quoted\"\n";
  CHECK(file.metadata == Metadata{{"note", odd}});
  CHECK(file.tensors.size() == 7);
  CHECK(file.at(odd).to_vector<float>() == std::vector<float>{7});
  CHECK(file.at("float32").shape() == Shape{2, 3});
  CHECK(file.at("float32").to_vector<float>() ==
        std::vector<float>{1.5f, -2.25f, 3, 0.1f, -INFINITY, 1e-40f});
  CHECK(file.at("float64").to_vector<double>() == std::vector<double>{0.1, 1e300, -0.0});
  CHECK(std::signbit(file.at("float64").at({2})));
  CHECK(file.at("int64").to_vector<int64_t>() == std::vector<int64_t>{-1, int64_t{1} << 62});
  CHECK(file.at("bool").to_vector<bool>() == std::vector<bool>{true, false, true});
  CHECK(file.at("scalar").shape() == Shape{});
  CHECK(file.at("scalar").item() == 2.5);
  CHECK(file.at("empty").shape() == Shape{0, 3});
  CHECK(load_safetensors(fixture("reader_no_tensors.safetensors")).tensors.empty());
}

TEST_CASE("half precision is widened to float32") {
  const SafetensorsFile file = load_safetensors(fixture("reader_half.safetensors"));
  const std::vector<float> exact = file.at("float32").to_vector<float>();
  for (const auto& [name, bits] : {std::pair("float16", 11), std::pair("bfloat16", 8)}) {
    REQUIRE(file.at(name).dtype() == kFloat32);
    const std::vector<float> half = file.at(name).to_vector<float>();
    for (size_t i = 0; i < exact.size(); ++i)
      CHECK(std::abs(half[i] - exact[i]) <= std::ldexp(std::abs(exact[i]), -bits));
  }
}

TEST_CASE("the corners of float16 are read: zero, subnormal, largest, infinity, nan") {
  const uint16_t bits[] = {0x8000, 0x0001, 0x7bff, 0xfc00, 0x7e00};
  std::string bytes = file_of(object({entry("h", "F16", "[5]", "[0,10]")}), 10);
  std::memcpy(bytes.data() + bytes.size() - 10, bits, 10);
  const TempDir dir;
  const Tensor h = load_safetensors(dir.write("half", bytes)).at("h");
  CHECK((h.at({0}) == 0 && std::signbit(h.at({0}))));
  CHECK(h.at({1}) == std::ldexp(1.0, -24));
  CHECK(h.at({2}) == 65504);
  CHECK(h.at({3}) == -INFINITY);
  CHECK(std::isnan(h.at({4})));
}

TEST_CASE("tensors of every dtype and layout come back equal, in order, with their metadata") {
  const TempDir dir;
  const std::string path = dir / "round.safetensors";
  const Tensor matrix = tensor({{1, 2, 3}, {4, 5, 6}}, kFloat32);
  const NamedTensors saved{{"flags", tensor({true, false, true})},
                           {"transposed", matrix.strided_view({3, 2}, {1, 3})},
                           {"column", matrix.strided_view({2}, {3}, 1)},
                           {"ids", tensor({-5, 7})},
                           {"none", zeros({2, 0, 3}, kFloat64)},
                           {"single", scalar(0.1, kFloat64)},
                           {"\"ü\"", tensor({0.5})}};
  const Metadata metadata{{"step", "12"}, {"", "empty key"}, {"umlaut", "ä\n"}};
  save_safetensors(path, saved, metadata);
  const SafetensorsFile file = load_safetensors(path);
  CHECK(file.metadata == metadata);
  REQUIRE(file.tensors.size() == saved.size());
  for (size_t i = 0; i < saved.size(); ++i) {
    const Tensor &got = file.tensors[i].tensor, &want = saved[i].tensor;
    CAPTURE(saved[i].name);
    CHECK(file.tensors[i].name == saved[i].name);
    CHECK(got.dtype() == want.dtype());
    CHECK(got.shape() == want.shape());
    CHECK(got.to_vector<double>() == want.to_vector<double>());
  }
  CHECK(file.contains("ids"));
  CHECK_FALSE(file.contains("id"));
  CHECK(message_of([&] { file.at("id"); }) ==
        path + ": no tensor is named \"id\"; nearest: ids, none, \"\u00fc\"");
}

TEST_CASE("a saved file is aligned and replaces the old one whole") {
  const TempDir dir;
  const std::string path = dir.write("model.safetensors", std::string(10000, 'x'));
  save_safetensors(path, {{"b", tensor({true})}, {"f", tensor({1.5})}, {"d", scalar(2, kFloat64)}});
  const std::string bytes = dir.read("model.safetensors");
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  CHECK(header % 8 == 0);
  CHECK(bytes.size() == 8 + header + 13);
  double first = 0;
  std::memcpy(&first, bytes.data() + 8 + header, 8);
  CHECK(first == 2);
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("a write that fails leaves the old file and nothing else") {
  const TempDir dir;
  const std::string path = dir.write("model.safetensors", "old");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{4096, before.rlim_max};  // stands for a disk that fills up
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = message_of([&] {
    save_safetensors(path, {{"big", zeros({100, 100})}});
  });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(message == fmt::format("save_safetensors: cannot write {}: File too large", path));
  CHECK(dir.read("model.safetensors") == "old");
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("two writers of one file do not get into each other's way") {
  const TempDir dir;
  const std::string path = (dir / "f").string();
  AtomicFile first("test", path), second("test", path);
  first.write("first", 5);
  second.write("2nd", 3);
  first.commit();
  CHECK(dir.read("f") == "first");
  second.commit();
  CHECK(dir.read("f") == "2nd");
  const auto entries = std::filesystem::directory_iterator(dir.path());
  CHECK(std::distance(begin(entries), end(entries)) == 1);
}

TEST_CASE("a link to a file stays a link, a pipe a pipe") {
  const TempDir dir;
  dir.write("file", "old");
  std::filesystem::create_symlink("file", dir / "link");
  AtomicFile linked("test", dir / "link");
  linked.write("new", 3);
  linked.commit();
  CHECK(std::filesystem::is_symlink(dir / "link"));
  CHECK(dir.read("file") == "new");

  const std::string pipe = dir / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  AtomicFile piped("test", pipe);
  piped.write("text", 4);
  piped.commit();
  char got[5] = {};
  CHECK(read(reader, got, 4) == 4);
  CHECK(std::string(got) == "text");
  CHECK(std::filesystem::is_fifo(pipe));
  close(reader);
}

TEST_CASE("what cannot be saved is refused before anything is written") {
  const TempDir dir;
  const std::string path = dir / "m";
  const Tensor t = tensor({1.0});
  const auto refusal = [&](const NamedTensors& tensors, const Metadata& metadata = {}) {
    return message_of([&] { save_safetensors(path, tensors, metadata); });
  };
  CHECK(refusal({{"a", t}, {"a", t}}) ==
        fmt::format("save_safetensors: {}: the name \"a\" is taken", path));
  CHECK_THAT(refusal({{"__metadata__", t}}), Contains("the name \"__metadata__\" is taken"));
  CHECK_THAT(refusal({{"a", {}}}), Contains("tensor \"a\" is undefined"));
  CHECK_THAT(refusal({{"\xff", t}}), Contains("valid UTF-8"));
  CHECK_THAT(refusal({{"a", t}}, {{"k", "\xc3"}}), Contains("valid UTF-8"));
  CHECK(std::filesystem::is_empty(dir.path()));
  CHECK(message_of([&] {
          save_safetensors(dir / "no/m", {{"a", t}});
        }) == fmt::format("save_safetensors: cannot write {}/no/m: No such file or directory",
                          dir.path().string()));
}

TEST_CASE("files that cannot hold a header are refused") {
  const TempDir dir;
  CHECK(message_of([&] { load_safetensors(dir / "none"); }) ==
        fmt::format("load_safetensors: {}/none: No such file or directory", dir.path().string()));
  CHECK(message_of([&] { load_safetensors(dir.path()); }) ==
        fmt::format("load_safetensors: {}: not a regular file", dir.path().string()));
  CHECK(fault_of("1234567") == "expected at least 8 bytes; got 7");
  CHECK(fault_of("") == "expected at least 8 bytes; got 0");
  CHECK(fault_of(std::string("\x09\0\0\0\0\0\0\0{}", 10)) ==
        "the header claims 9 bytes; only 2 follow");
  CHECK(fault_of(std::string(8, '\xff')) ==
        "the header may have at most 100000000 bytes; got 18446744073709551615");
}

TEST_CASE("headers that are not the right JSON are refused") {
  const std::string good = entry("a", "F32", "[1]", "[0,4]");
  CHECK(fault_of_header("") == "the header must be a JSON object");
  CHECK(fault_of_header(" {}") == "the header must be a JSON object");
  CHECK(fault_of_header("[]") == "the header must be a JSON object");
  CHECK(fault_of_header("{") == "the header is not valid JSON at byte 2");
  CHECK_THAT(fault_of_header("{} {}"), Contains("not valid JSON"));
  CHECK_THAT(fault_of_header("{\"\xff\":1}"), Contains("not valid JSON"));
  CHECK(fault_of_header(object({good, good}), 4) == "duplicate key \"a\"");
  CHECK(fault_of_header(R"({"a":{"dtype":"F32","dtype":"F64"}})") == "duplicate key \"a/dtype\"");
  CHECK(fault_of_header(R"({"__metadata__":{},"__metadata__":{}})") ==
        "duplicate key \"__metadata__\"");
  CHECK(fault_of_header(R"({"__metadata__":{"k":1}})") ==
        "unexpected a number in the header at __metadata__/k");
  CHECK(fault_of_header(R"({"__metadata__":{"k":{}}})") ==
        "unexpected an object in the header at __metadata__/k");
  CHECK(fault_of_header(R"({"a":3})") == "unexpected a number in the header at a");
  CHECK(fault_of_header(R"({"a":[]})") == "unexpected a list in the header at a");
  CHECK(fault_of_header(R"({"a":null})") == "unexpected null in the header at a");
  CHECK(fault_of_header(R"({"a":{}})") ==
        "tensor \"a\" must have dtype, shape and data_offsets; got ");
  CHECK_THAT(fault_of_header(std::string(100000, '{')), Contains("not valid JSON"));
}

TEST_CASE("entries that describe no tensor are refused") {
  const auto fault = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return fault_of_header(object({entry("a", dtype, shape, offsets)}), 4);
  };
  CHECK(fault("I8", "[4]", "[0,4]") ==
        "tensor \"a\" has dtype I8; supported are F64, F32, F16, BF16, I64, BOOL");
  CHECK(fault("F32", "[-1]", "[0,4]") == "unexpected a negative number in the header at a/shape");
  CHECK_THAT(fault("F32", "[1.5]", "[0,4]"), Contains("no 64-bit integer"));
  CHECK_THAT(fault("F32", "[[1]]", "[0,4]"), Contains("unexpected a list"));
  CHECK_THAT(fault("F32", "[{}]", "[0,4]"), Contains("unexpected an object"));
  CHECK_THAT(fault("F32", "[true]", "[0,4]"), Contains("unexpected a boolean"));
  CHECK_THAT(fault("F32", "[\"1\"]", "[0,4]"), Contains("unexpected a string"));
  CHECK(fault("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") == "a/shape has more than 8 entries");
  CHECK(fault("F32", "[1]", "[0,4,4]") == "a/data_offsets has more than 2 entries");
  CHECK(fault("F32", "[1]", "[0]") == "tensor \"a\" must have two data_offsets");
  CHECK(fault("F32", "[9223372036854775808]", "[0,4]") ==
        "tensor \"a\" has a dim of 9223372036854775808");
  CHECK_THAT(fault("F32", "[4294967296,4294967296]", "[0,4]"), Contains("is too large"));
  CHECK_THAT(fault("F32", "[0,4294967296,4294967296]", "[0,0]"), Contains("is too large"));
}

TEST_CASE("tensors must tile the data") {
  const auto fault = [](const std::string& a, const std::string& b, size_t bytes) {
    return fault_of_header(object({entry("a", "F32", "[2]", a), entry("b", "F32", "[2]", b)}),
                           bytes);
  };
  CHECK(fault("[0,8]", "[12,20]", 20) ==
        "tensor \"b\" starts at byte 12; the one before it ends at 8");
  CHECK(fault("[4,12]", "[0,8]", 12) ==
        "tensor \"a\" starts at byte 4; the one before it ends at 8");
  CHECK(fault("[0,8]", "[8,12]", 12) == "tensor \"b\" of shape [2] cannot occupy bytes 8 to 12");
  CHECK(fault("[0,8]", "[8,0]", 8) == "tensor \"b\" of shape [2] cannot occupy bytes 8 to 0");
  CHECK(fault("[0,8]", "[8,16]", 12) == "tensors take 16 bytes; the file holds 12");
  CHECK(fault("[0,8]", "[8,16]", 17) == "tensors take 16 bytes; the file holds 17");
  const std::string swapped =
      object({entry("a", "F32", "[2]", "[8,16]"), entry("b", "F32", "[2]", "[0,8]")});
  const TempDir dir;
  CHECK(load_safetensors(dir.write("swapped", file_of(swapped, 16))).tensors[0].name == "a");
}

TEST_CASE("booleans are stored as 0 or 1") {
  std::string bytes = file_of(object({entry("a", "BOOL", "[2]", "[0,2]")}), 2);
  bytes.back() = 2;
  CHECK(fault_of(bytes) == "tensor \"a\" is BOOL but holds bytes other than 0 and 1");
}

TEST_CASE("what is saved carries checksums, and no flipped bit goes unnoticed") {
  const TempDir dir;
  const std::string path = dir / "m";
  const NamedTensors saved{{"a", tensor({1.5, -2.0})}, {"b", tensor({true, false, true})}};
  save_safetensors(path, saved, {{"step", "12"}});
  CHECK(load_safetensors(path).has_checksums);
  int64_t accepted = 0;
  with_flips(path, [&](int64_t byte, int bit) {
    try {
      const SafetensorsFile file = load_safetensors(path);
      ++accepted;  // the name of the checksums itself was hit
      INFO(byte << ", bit " << bit);
      CHECK_FALSE(file.has_checksums);
      CHECK(file.metadata.at("step") == "12");
      for (size_t i = 0; i < saved.size(); ++i) {
        CHECK(file.tensors[i].name == saved[i].name);
        CHECK(file.tensors[i].tensor.to_vector<double>() == saved[i].tensor.to_vector<double>());
      }
    } catch (const Error&) {
    }
  });
  CHECK(accepted < 8 * static_cast<int64_t>(std::strlen("weft.crc32c")));
}

TEST_CASE("an error says which tensor is damaged, and a prefix reads what it does not concern") {
  const TempDir dir;
  const std::string path = dir / "m";
  save_safetensors(path, {{"x.a", tensor({1.5, 2.5})}, {"y.b", tensor({3.5})}});
  std::string bytes = dir.read("m");
  bytes.back() ^= 1;  // of y.b
  dir.write("m", bytes);
  const std::string message = message_of([&] { load_safetensors(path); });
  CHECK_THAT(message, Contains("tensor \"y.b\" is damaged: its CRC-32C is "));
  CHECK(load_safetensors(path, "x.").at("a").at({1}) == 2.5);
}

TEST_CASE("a header that was changed is refused, whatever it says") {
  const TempDir dir;
  const std::string path = dir / "m";
  save_safetensors(path, {{"a", scalar(1.5, kFloat64)}, {"b", tensor({2.5})}}, {{"step", "1"}});
  const std::string bytes = dir.read("m");
  const auto fault = [&](const std::string& from, const std::string& to) {
    std::string changed = bytes;
    changed.replace(changed.find(from), from.size(), to);
    return fault_of(changed);
  };
  const std::string damaged =
      "the header is damaged, or written by another program: its checksum is wrong";
  CHECK(fault("\"step\":\"1\"", "\"step\":\"2\"") == damaged);
  CHECK(fault("\"a\":{", "\"c\":{") == damaged);
  CHECK(fault("\"a\":{\"dtype\":\"F64\"", "\"a\":{\"dtype\":\"I64\"") == damaged);
  CHECK(fault("\"weft.crc32c\":\"", "\"weft.crc32c\":\"x") != "");
  CHECK(message_of([&] {
          save_safetensors(path, {}, {{"weft.crc32c", ""}});
        }) ==
        fmt::format("save_safetensors: {}: the metadata must not have a \"weft.crc32c\"", path));
}

TEST_CASE("files without checksums are read, and tell so") {
  const TempDir dir;
  const std::string path = dir / "m";
  save_safetensors(path, {{"a", tensor({1.5})}}, {{"step", "1"}});
  dir.write("old", without_checksums(dir.read("m")));
  const SafetensorsFile file = load_safetensors(dir / "old");
  CHECK_FALSE(file.has_checksums);
  CHECK(file.at("a").item() == 1.5);
  CHECK(file.metadata == Metadata{{"step", "1"}});
}

TEST_CASE("messages are short, whatever a file says") {
  const std::string name(1'000'000, 'n');
  CHECK(fault_of_header(object({entry(name, "I8", "[1]", "[0,4]")}), 4).size() < 500);
  CHECK(fault_of_header(object({entry(name, "F32", "[2]", "[0,4]")}), 4).size() < 500);
  const TempDir dir;
  save_safetensors(dir / "m", {{name, tensor({1.5})}});
  CHECK(message_of([&] { load_safetensors(dir / "m", "x"); }).size() < 500);
}
