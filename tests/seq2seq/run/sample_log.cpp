#include <weft/seq2seq/run/sample_log.h>
#include <weft/tests/catch.h>
#include <weft/tests/temp_dir.h>

using namespace weft;

namespace {

using Texts = std::vector<std::string>;

const ParallelText kText{{"a", "b"}, {"A", "B"}};

std::string header() {
  return R"({"step":0,"source":["a","b"],"reference":["A","B"]})"
         "\n";
}

}  // namespace

TEST_CASE("samples: what the sentences are, then a line for each validation") {
  const TempDir dir;
  SampleLog log(dir / "s.jsonl", kText, -1);
  log.write(5, Texts{"A", "A"});
  log.write(10, Texts{"A", "B"});
  CHECK(dir.read("s.jsonl") == header() + R"({"step":5,"translation":["A","A"]})"
                                          "\n"
                                          R"({"step":10,"translation":["A","B"]})"
                                          "\n");
}

TEST_CASE("samples: a run goes on after its last validation") {
  const TempDir dir;
  {
    SampleLog log(dir / "s.jsonl", kText, -1);
    log.write(5, Texts{"A", "A"});
    log.write(10, Texts{"A", "B"});
  }
  SampleLog(dir / "s.jsonl", kText, 5).write(10, Texts{"B", "B"});
  CHECK(dir.read("s.jsonl") == header() + R"({"step":5,"translation":["A","A"]})"
                                          "\n"
                                          R"({"step":10,"translation":["B","B"]})"
                                          "\n");
}

TEST_CASE("samples: where a crash took what the sentences are, it is said again") {
  const TempDir dir;
  const std::string translation = "{\"step\":5,\"translation\":[\"A\",\"A\"]}\n";
  dir.write("s.jsonl", "{\"step\":0,\"sou\n" + translation);
  SampleLog(dir / "s.jsonl", kText, 5);
  CHECK(dir.read("s.jsonl") == translation + header());
}

TEST_CASE("samples: of many sentences some from all over") {
  const TempDir dir;
  ParallelText text;
  for (int i = 0; i < 80; ++i) {
    text.source.push_back(std::to_string(i));
    text.target.push_back("t");
  }
  SampleLog(dir / "s.jsonl", text, -1).write(1, text.source);
  CHECK_THAT(dir.read("s.jsonl"),
             Catch::Matchers::EndsWith(
                 R"({"step":1,"translation":["0","10","20","30","40","50","60","70"]})"
                 "\n"));
}

TEST_CASE("samples: bytes that are no text become signs") {
  const TempDir dir;
  SampleLog(dir / "s.jsonl", kText, -1).write(1, Texts{"\xff", "\xc3\xa4"});
  CHECK_THAT(
      dir.read("s.jsonl"),
      Catch::Matchers::EndsWith("{\"step\":1,\"translation\":[\"\xef\xbf\xbd\",\"\xc3\xa4\"]}\n"));
}
