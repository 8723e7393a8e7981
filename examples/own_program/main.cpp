// A model, a task and an optimizer of your own, together in weft's command line.
//   own_program train --model sharp --task vowels --optimizer signum --model-dir vowels
//   mpirun -n 4 own_program train ...  the same on four processes, where there is MPI
#include <weft/seq2seq.h>
#include <weft/weft.h>

#ifdef WEFT_MPI
#include <weft/optim/distributed/mpi/mpi_communicator.h>

#include <optional>
#endif

using namespace weft;

namespace {

// A Transformer that pays for looking at many places at once: the entropy of its cross-attention is
// part of the loss.
class Sharp : public TransformerSeq2Seq {
 public:
  using TransformerSeq2Seq::TransformerSeq2Seq;

  Tensor loss(const PaddedIds& source, const PaddedIds& target, double label_smoothing) override {
    Tensor loss = TransformerSeq2Seq::loss(source, target, label_smoothing);
    if (!training()) return loss;
    for (const Tensor& weights : trace(source, target).cross)  // [B, H, Tq, Tk]
      loss = loss - 0.01 * mean(sum(weights * log(weights + 1e-9), {-1}));
    return loss;
  }
};

std::unique_ptr<Seq2SeqModel> make_sharp(const ModelConfig& config, Generator generator) {
  return std::make_unique<Sharp>(transformer_options(config), generator);
}

// Words without their vowels.
std::string draw_word(Generator& generator) {
  std::string word(static_cast<size_t>(4 + generator.below(6)), ' ');
  for (char& c : word) c = static_cast<char>('a' + generator.below(26));
  return word + "z";  // so that something is left
}

std::string without_vowels(std::string word) {
  std::erase_if(word, [](char c) { return std::string("aeiou").find(c) != std::string::npos; });
  return word;
}

// Signum (Bernstein et al. 2018, arXiv:1802.04434): steps by the sign of its momentum.
Tensor sign(const Tensor& x) { return to(gt(x, 0), x.dtype()) - to(lt(x, 0), x.dtype()); }

struct SignumOptions {
  double lr, weight_decay;
};

class Signum : public OptimizerOf<SignumOptions> {
 public:
  Signum(const NamedTensors& parameters, const SignumOptions& options)
      : OptimizerOf("Signum", {{parameters, options}}) {}

 private:
  std::vector<std::string> buffer_names(size_t) const override { return {"momentum"}; }

  Tensor update(Slot& slot, const Tensor& g) const override {
    const Tensor& p = slot.parameter;
    Tensor& m = slot.buffers[0];
    m = 0.9 * m + 0.1 * g;
    return p - lr(slot.group) * (sign(m) + options(slot.group).weight_decay * p);
  }
};

std::unique_ptr<Optimizer> make_signum(const NamedTensors& parameters, const TrainConfig& config) {
  return std::make_unique<Signum>(parameters,
                                  SignumOptions{config.learning_rate, config.weight_decay});
}

}  // namespace

int main(int argc, char** argv) {
  Program program;
  program.add_model({"sharp", "a Transformer whose attention is sharp", make_sharp});
  program.add_task(drawn_task("vowels", "5 to 10 letters without vowels", draw_word, without_vowels,
                              {{"epochs", "4"}}));
  program.add_optimizer({"signum", "steps by signs", make_signum, {{"lr", "0.001"}}});
#ifdef WEFT_MPI
  std::optional<MpiCommunicator> ranks;
  if (started_ranks() > 1) program.distribute(ranks.emplace());
#endif
  return program.run(argc, argv);
}
