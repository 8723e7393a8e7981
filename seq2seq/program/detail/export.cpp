// `weft export`: a trained model for other programs.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/exchange/onnx_export.h>
#include <weft/seq2seq/exchange/torch_export.h>
#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/seq2seq/text/text_file.h>

namespace weft {
namespace {

// A model directory has a vocabulary.json of its own.
void check_no_model(const Setting<std::string>& folder) {
  const std::filesystem::path file = std::filesystem::path(folder.value()) / kBestCheckpoint;
  check(!folder.given() || !is_there(file),
        "export: --{}: expected a folder without a model; got {}, which holds one",
        folder.info().name, folder.value());
}

}  // namespace

void export_command(const ExportOptions& o, const Catalog& catalog) {
  check(o.onnx.given() || o.torch.given(), "export: say what to write, --onnx DIR or --torch DIR");
  check_no_model(o.onnx);
  check_no_model(o.torch);
  const LoadedModel loaded = load_model(o.model_dir.value(), catalog.models);
  auto* model = dynamic_cast<TransformerSeq2Seq*>(loaded.model.get());
  check(model != nullptr, "export: --model must be transformer; got {} in {}",
        loaded.config.model.value(), o.model_dir.value());
  if (o.onnx.given()) export_onnx(*model, *loaded.vocabulary, o.onnx.value());
  if (o.torch.given()) export_torch(*model, *loaded.vocabulary, o.torch.value());
}

}  // namespace weft
