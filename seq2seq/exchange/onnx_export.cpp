#include <weft/autograd/graph/grad_mode.h>
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/exchange/detail/folder.h>
#include <weft/seq2seq/exchange/detail/onnx_transformer.h>
#include <weft/seq2seq/exchange/detail/page.h>
#include <weft/seq2seq/exchange/onnx_export.h>
#include <weft/seq2seq/text/json.h>
#include <weft/seq2seq/text/pairs.h>
#include <weft/seq2seq/text/text_file.h>

namespace weft {
namespace {

using Build = void (*)(OnnxGraph&, TransformerSeq2Seq&, const OnnxLimits&);

std::string file_of(Build build, const std::string& name, TransformerSeq2Seq& model,
                    const OnnxLimits& limits) {
  OnnxGraph graph(name);
  build(graph, model, limits);
  return graph.bytes();
}

// What is not in the graphs and yet part of a translation: which ids are special, and where one
// that does not end is cut off, longest(n) = max(slope * n + longest(0), least).
std::string decoding_json(const Strategy& strategy) {
  const int64_t least = strategy.longest(0, 0), most = strategy.longest(kLongestSource, 0);
  const int64_t slope = most - strategy.longest(kLongestSource - 1, 0);
  return to_json_text({{"pad", kPad},
                       {"unknown", kUnknown},
                       {"begin", kBegin},
                       {"end", kEnd},
                       {"longest_source", kLongestSource},
                       {"longest_target_least", least},
                       {"longest_target_slope", slope},
                       {"longest_target_offset", most - slope * kLongestSource}});
}

}  // namespace

void export_onnx(TransformerSeq2Seq& model, const Vocabulary& vocabulary,
                 const std::filesystem::path& dir) {
  const NoGrad no_grad;
  const BeamSearch greedy;
  const OnnxLimits limits{kLongestSource, greedy.longest(kLongestSource, 0) + 1};
  const std::string encoder = file_of(build_encoder, "encoder", model, limits);
  const std::string step = file_of(build_decoder_step, "decoder_step", model, limits);
  make_folder(dir);
  write_file(dir / "encoder.onnx", encoder);
  write_file(dir / "decoder_step.onnx", step);
  write_file(dir / "decoding.json", decoding_json(greedy));
  write_file(dir / "index.html", std::string(exported_index_html()));
  write_file(dir / "page.mjs", std::string(exported_page_mjs()));
  write_file(dir / "translate.mjs", std::string(exported_translate_mjs()));
  vocabulary.save(dir);
}

}  // namespace weft
