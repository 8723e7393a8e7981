// Settings from the environment: what they do, and that a wrong one is an Error that can be caught.
#include <weft/core/cpu.h>
#include <weft/core/parallel.h>
#include <weft/core/tensor.h>
#include <weft/tests/catch.h>

#include <unistd.h>

#include <array>
#include <cstdio>
#include <iostream>
#include <string>

using namespace weft;

namespace {

const std::string kMark = "says: ";  // Catch prints more

// What the test case below prints in a process of its own with these settings.
std::string first_use(const std::string& settings) {
  std::array<char, 4096> self{};
  REQUIRE(readlink("/proc/self/exe", self.data(), self.size() - 1) > 0);
  const std::string command =
      "env " + settings + " " + self.data() + " 'the first tensor of a process' 2>&1";
  FILE* child = popen(command.c_str(), "r");
  REQUIRE(child != nullptr);
  std::string printed;
  std::array<char, 256> part;
  while (fgets(part.data(), static_cast<int>(part.size()), child)) printed += part.data();
  REQUIRE(pclose(child) == 0);
  const size_t start = printed.find(kMark) + kMark.size();
  return printed.substr(start, printed.find('\n', start) - start);
}

}  // namespace

TEST_CASE("the first tensor of a process", "[.]") {
  std::cout << kMark << message_of([] { zeros({3}); }) << "|" << message_of([] { zeros({3}); })
            << "|" << message_of([] { std::cout << num_threads() << "|"; })
            << static_cast<int>(cpu_isa()) << std::endl;
}

TEST_CASE("a setting that is none is an Error of the first tensor, and of the next") {
  for (const std::string value : {"0", "1025", "two", "2x", "-1", "010x", "99999999999"}) {
    const std::string said =
        "WEFT_NUM_THREADS: expected a number in [1, 1024]; got '" + value + "'";
    INFO(value);
    CHECK(first_use("WEFT_NUM_THREADS=" + value).starts_with(said + "|" + said + "|"));
  }
  for (const std::string value : {"AVX2", "sse", "avx10"}) {
    const std::string said = "WEFT_CPU: expected baseline, avx2 or avx512; got '" + value + "'";
    INFO(value);
    CHECK(first_use("WEFT_CPU=" + value).starts_with(said + "|" + said + "|"));
  }
}

TEST_CASE("WEFT_NUM_THREADS sets the threads and WEFT_CPU the kernels; empty is unset") {
  CHECK(first_use("WEFT_NUM_THREADS=3 WEFT_CPU=baseline") == "||3|0");
  CHECK(first_use("WEFT_NUM_THREADS= WEFT_CPU=") == first_use("-u WEFT_NUM_THREADS -u WEFT_CPU"));
}
