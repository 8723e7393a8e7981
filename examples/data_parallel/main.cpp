// Trains one model on several processes, to the same bits at any number of them that divides the
// parts of an update:
//   mpirun -n 4 data_parallel [UPDATES]
#include <weft/core/checksum.h>
#include <weft/optim/distributed/data_parallel.h>
#include <weft/optim/distributed/mpi/mpi_communicator.h>
#include <weft/seq2seq.h>
#include <weft/weft.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

using namespace weft;

namespace {

constexpr int64_t kParts = 12, kTokens = 256;  // of an update; of a part

uint32_t checksum(const Module& model) {
  uint32_t sum = 0;
  for (const NamedTensor& p : model.named_parameters())
    sum = crc32c(p.tensor.raw(), static_cast<size_t>(p.tensor.numel()) * sizeof(float), sum);
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  MpiCommunicator communicator;
  const int64_t updates = argc > 1 ? std::atoll(argv[1]) : 100;
  const Corpus corpus = find_named(builtin_tasks(), "reverse", "task").corpus();
  const auto vocabulary = character_vocabulary(corpus.train.text.source, corpus.train.text.target);
  const std::vector<Pair> pairs = encode_pairs(*vocabulary, corpus.train.text);

  Generator generator(1);
  TransformerSeq2Seq model(
      {.vocabulary = vocabulary->size(),
       .transformer = {.layer = {.d_model = 64, .nhead = 2, .dim_feedforward = 128, .dropout = 0},
                       .num_encoder_layers = 2,
                       .num_decoder_layers = 2}},
      generator);
  Adam adam(model.named_parameters(), {.lr = 1e-3});
  DataParallel ranks(communicator, model.named_parameters());

  const auto start = std::chrono::steady_clock::now();
  double loss = 0;  // of this rank's last part
  const std::vector<Batch> batches = training_batches(pairs, kTokens, 1, 0).batches;
  for (int64_t update = 0; update < updates; ++update) {
    ranks.sum_gradients(kParts, [&](int64_t part) {
      const auto at = static_cast<size_t>(update * kParts + part) % batches.size();
      const Tensor mean = model.loss(pad_ids(pairs, batches[at], &Pair::source),
                                     pad_ids(pairs, batches[at], &Pair::target), 0);
      (mean * (1.0 / kParts)).backward();
      loss = mean.item();
    });
    adam.step();
    adam.zero_grad();
    if (update % 50 == 0 && communicator.rank() == 0)
      std::fprintf(stderr, "update %" PRId64 ": loss %.4f\n", update + 1, loss);
  }
  ranks.check_equal();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  if (communicator.rank() + 1 < communicator.size()) return 0;  // the last has the last part
  std::printf("loss %.4f, parameters %08x\n", loss, checksum(model));
  std::fprintf(stderr, "%d ranks, %.1f updates/s\n", communicator.size(),
               static_cast<double>(updates) / time.count());
}
