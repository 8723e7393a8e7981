// A model of your own in weft's command line: one cross-attention, and nothing else that looks.
//   own_model train --model one_look --task reverse --model-dir reverse
#include <weft/seq2seq.h>
#include <weft/weft.h>

using namespace weft;

namespace {

class OneLook : public Layer<OneLook, Seq2SeqModel> {
 public:
  OneLook(const ModelConfig& c, const Generator& generator)
      : embedding_(child<Embedding>("embedding", c.vocabulary, c.d_model, generator, kPad)),
        positions_(child<LearnedPositions>("positions", 4096, c.d_model, generator, true)),
        attention_(child<CrossAttention>(
            "attention",
            CrossAttentionOptions{
                .embed_dim = c.d_model, .num_heads = c.heads, .batch_first = true},
            generator)),
        output_(child<Linear>("output", c.d_model, c.vocabulary, generator)) {}

  Prediction predict(const PaddedIds& source, const PaddedIds& target) override {
    return predicted(look(source, slice(to_tensor(target), 1, 0, -1), 0));
  }

  AttentionTrace trace(const PaddedIds& source, const PaddedIds& target, Tensor* loss) override {
    const AttentionResult found = look(source, slice(to_tensor(target), 1, 0, -1), 0);
    if (loss) *loss = loss_of(predicted(found), target, 0);
    AttentionTrace trace;
    trace.cross = {found.weights};
    return trace;
  }

  std::unique_ptr<Decoding> start(const PaddedIds& source) override {
    return std::make_unique<State>(*this, source);
  }

 private:
  Tensor embed(const Tensor& ids, int64_t first) { return positions_(embedding_(ids), first); }

  AttentionResult look(const PaddedIds& source, const Tensor& ids, int64_t first) {
    return attention_(embed(ids, first), embed(to_tensor(source), 0),
                      {.mask = Mask::padding(source.lengths, source.columns),
                       .weights = AttentionWeights::per_head});
  }

  Prediction predicted(const AttentionResult& found) const {
    return {found.output, output_.weight, output_.bias};
  }

  struct State : Decoding {
    State(OneLook& m, const PaddedIds& s) : model(m), source(s) {}
    Tensor next_log_probs(const Tensor& ids) override {
      const Tensor found = model.look(source, ids, place++).output;  // [rows, 1, D]
      return log_softmax(model.output_(select(found, 1, 0)), -1);
    }
    void keep(const Ids& rows) override { source = select_rows(source, rows); }

    OneLook& model;
    PaddedIds source;
    int64_t place = 0;
  };

  Embedding& embedding_;
  LearnedPositions& positions_;
  CrossAttention& attention_;
  Linear& output_;
};

}  // namespace

int main(int argc, char** argv) {
  Program program;
  program.add_model(
      {.name = "one_look",
       .help = "a single cross-attention",
       .make = [](const ModelConfig& c, Generator g) { return std::make_unique<OneLook>(c, g); },
       .reads = {"d-model", "heads"}});
  return program.run(argc, argv);
}
