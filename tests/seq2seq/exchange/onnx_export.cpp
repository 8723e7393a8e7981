// What stands beside the graphs; that the graphs are right, export.sh checks with ONNX Runtime.
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/exchange/onnx_export.h>
#include <weft/seq2seq/text/json.h>
#include <weft/seq2seq/text/pairs.h>
#include <weft/tests/catch.h>
#include <weft/tests/temp_dir.h>

#include <algorithm>

using namespace weft;

TEST_CASE("onnx export: special ids, tokens and the limit of length are those of decoding") {
  const TempDir dir;
  TransformerSeq2Seq model({.vocabulary = 7, .transformer = {.layer = {.d_model = 8, .nhead = 2}}},
                           Generator(1));
  const auto vocabulary = character_vocabulary(std::vector<std::string>{"abc"});
  export_onnx(model, *vocabulary, dir.path());

  const JsonObject json = parse_json(dir.read("decoding.json"));
  CHECK(integer_at(json, "pad") == kPad);
  CHECK(integer_at(json, "unknown") == kUnknown);
  CHECK(integer_at(json, "begin") == kBegin);
  CHECK(integer_at(json, "end") == kEnd);
  CHECK(integer_at(json, "longest_source") == kLongestSource);
  for (int64_t n = 1; n <= kLongestSource; ++n)
    REQUIRE(std::max(integer_at(json, "longest_target_slope") * n +
                         integer_at(json, "longest_target_offset"),
                     integer_at(json, "longest_target_least")) == BeamSearch().longest(n, 0));
  CHECK(load_vocabulary(dir.path())->decode(std::vector<int64_t>{4, 6}) == "ac");
  for (const char* name : {"encoder.onnx", "decoder_step.onnx"})
    CHECK(dir.read(name).find("LayerNormalization") != std::string::npos);
}
