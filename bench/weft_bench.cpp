// Training steps, attention calls and decoding, timed. The cases are listed here only: the peers
// take their sizes from --list. Every case runs in a process of its own, so that peak memory is its
// own. usage: weft_bench [--list | --case NAME | --train SIZES | --attention SIZES | --hvp SIZES |
//                    --decode SIZES]
//                   [--threads N] [--steps N] [--bf16] [--record none|run|all] [--profile]
//                   [--regions]
#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/core/blas.h>
#include <weft/core/parallel.h>
#include <weft/core/region_watch.h>
#include <weft/weft.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>

#include "decode_case.h"
#include "train_model.h"

namespace {

using namespace weft;

constexpr TrainCase kTrainCases[] = {{"train_toy", 32, 64, 2, 1, 1, 100, 16, 10, 10},
                                     {"train_tiny", 128, 256, 4, 4, 4, 10000, 128, 16, 16},
                                     {"train_small", 256, 1024, 8, 3, 3, 8000, 64, 32, 32},
                                     {"train_base", 512, 2048, 8, 2, 2, 8000, 16, 64, 64}};

struct AttentionCase {
  const char* name;
  int64_t batch, queries, keys, width, heads;
};
double gflop(const AttentionCase& c) {
  const double d = static_cast<double>(c.width), q = static_cast<double>(c.queries),
               k = static_cast<double>(c.keys);
  return 6e-9 * static_cast<double>(c.batch) * (2 * (q + k) * d * d + 2 * q * k * d);
}

constexpr AttentionCase kAttentionCases[] = {{"cross_toy", 16, 10, 12, 32, 2},
                                             {"cross_mid", 32, 64, 128, 512, 8},
                                             {"cross_long", 1, 2048, 2048, 512, 8},
                                             {"cross_4k", 1, 4096, 4096, 256, 4}};

constexpr DecodeCase kDecodeCases[] = {{"decode_greedy", 128, 256, 4, 4, 4, 10000, 64, 16, 16, 1},
                                       {"decode_beam5", 128, 256, 4, 4, 4, 10000, 64, 16, 16, 5}};

// Whether an AttentionRecorder watches training steps; and whether all that it can make of them is
// asked for after each.
enum class Record { none, run, all };
const std::map<std::string, Record> kRecords{
    {"none", Record::none}, {"run", Record::run}, {"all", Record::all}};

struct Timing {
  int steps;
  Record record;
  const RegionWatch* watch = nullptr;
};

struct Steps {
  double median_ms = 0;
  RegionWatch::Times regions = {};  // of all of them, if they are watched
};

struct Result {
  Steps steps;
  double gflop = 0;   // of the products of a step
  double tokens = 0;  // per step
  int64_t parameters = 0;
};

RegionWatch::Times operator-(const RegionWatch::Times& a, const RegionWatch::Times& b) {
  return {a.regions - b.regions, a.outside - b.outside, a.inside - b.inside, a.waiting - b.waiting};
}

Steps timed(const std::function<void()>& step, const Timing& timing) {
  const auto watched = [&] { return timing.watch ? timing.watch->times() : RegionWatch::Times{}; };
  const int steps = timing.steps;
  for (int i = 0; i < 3; ++i) step();
  const RegionWatch::Times before = watched();
  std::vector<double> times;
  for (int i = 0; i < steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    step();
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
  }
  const RegionWatch::Times regions = watched() - before;
  std::nth_element(times.begin(), times.begin() + steps / 2, times.end());
  return {times[static_cast<size_t>(steps / 2)], regions};
}

int64_t parameters_of(Module& model) {
  int64_t parameters = 0;
  for (const Tensor& p : model.parameters()) parameters += p.numel();
  return parameters;
}

void make_all(const AttentionRecorder& recorder) {
  for (const AttentionRecord& r : recorder.calls()) {
    r.scores();
    r.weights();
    r.value_norms();
    r.dweights();
    r.dscores();
    r.dqueries();
    r.dkeys();
    r.dvalues();
  }
}

Result run(const TrainCase& c, const Timing& timing) {
  Generator gen(0);
  TrainModel model(c, gen);
  std::optional<AttentionRecorder> recorder;
  if (timing.record != Record::none) recorder.emplace(model);
  Adam adam(model.named_parameters(), {.lr = 1e-4, .beta1 = 0.9, .beta2 = 0.98});
  const Tensor x = randint(c.vocabulary, {c.batch, c.source}, gen);
  const Tensor y = randint(c.vocabulary, {c.batch, c.target}, gen);
  const Tensor next = randint(c.vocabulary, {c.batch, c.target}, gen);
  const Steps steps = timed(
      [&] {
        adam.zero_grad();
        model(x, y, next).backward();
        if (timing.record == Record::all) make_all(*recorder);
        if (recorder) recorder->clear();
        adam.step(clip_factor(grad_norm(adam.parameters()), 1.0));
      },
      timing);
  return {steps, gflop(c), static_cast<double>(c.batch * c.target), parameters_of(model)};
}

Result run(const DecodeCase& c, const Timing& timing) {
  DecodeWork work(c, Generator(0));
  int64_t ids = 0;
  const Steps steps = timed([&] { ids = work.run(); }, timing);
  return {steps, gflop(c), static_cast<double>(ids), parameters_of(work.model())};
}

Result run(const AttentionCase& c, const Timing& timing) {
  Generator gen(0);
  MultiheadAttention attention({.embed_dim = c.width, .num_heads = c.heads, .batch_first = true},
                               gen);
  Tensor query = randn({c.batch, c.queries, c.width}, gen),
         memory = randn({c.batch, c.keys, c.width}, gen);
  query.set_requires_grad();
  memory.set_requires_grad();
  const Tensor dy = randn({c.batch, c.queries, c.width}, gen);
  return {timed(
              [&] {
                attention.zero_grad();
                query.set_grad({});
                memory.set_grad({});
                attention(query, memory, memory).output.backward(dy);
              },
              timing),
          gflop(c)};
}

// The Hessian of |y|^2 / 2, y the attention's output by heads, times a vector.
Result run_hvp(const AttentionCase& c, const Timing& timing) {
  Generator gen(0);
  auto operands = [&] {
    auto heads = [&](int64_t length) {
      return randn({c.batch, c.heads, length, c.width / c.heads}, gen);
    };
    return Tensors{heads(c.queries), heads(c.keys), heads(c.keys)};
  };
  const Tensors at = operands(), along = operands();
  auto loss = [](const Tensors& in) {
    return sum(pow(scaled_dot_product_attention(in[0], in[1], in[2]), 2)) * 0.5;
  };
  const NoGrad plain_numbers;
  return {timed([&] { hvp(loss, at, along); }, timing)};
}

// A chain of 1,000 multiplications of one number, forward and backward.
Result run_op_overhead(const Timing& timing) {
  return {timed(
      [] {
        Tensor x = ones({1});
        x.set_requires_grad();
        Tensor y = x;
        for (int i = 0; i < 1000; ++i) y = y * 1.0001;
        y.backward();
      },
      timing)};
}

double peak_rss_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void print(const std::string& name, const Result& r) {
  const double ms = r.steps.median_ms;
  fmt::print("{{\"case\": \"{}\", \"threads\": {}, \"ms\": {:.4f}", name, num_threads(), ms);
  if (float32_matmul_precision() == MatmulPrecision::bf16) fmt::print(", \"precision\": \"bf16\"");
  if (r.gflop > 0) fmt::print(", \"gflop\": {:.4f}", r.gflop);
  if (r.tokens > 0)
    fmt::print(", \"tokens_per_s\": {:.0f}, \"params\": {}", r.tokens / ms * 1e3, r.parameters);
  if (name == "op_overhead") fmt::print(", \"us_per_op\": {:.4f}", ms);
  fmt::print(", \"peak_rss_mb\": {:.1f}}}\n", peak_rss_mb());
}

// Of a step: how many regions it has, and the milliseconds of the calling thread outside of them,
// in them, and waiting at their ends. The share outside is that of what this thread did.
void print_regions(const std::string& name, const RegionWatch::Times& t, int steps) {
  const auto ms = [&](std::chrono::nanoseconds d) {
    return std::chrono::duration<double, std::milli>(d).count() / steps;
  };
  const double outside = ms(t.outside), inside = ms(t.inside);
  fmt::print(
      "{{\"case\": \"{}\", \"threads\": {}, \"regions\": {:.1f}, \"serial_ms\": {:.4f}, "
      "\"parallel_ms\": {:.4f}, \"wait_ms\": {:.4f}, \"serial_share\": {:.4f}}}\n",
      name, num_threads(), static_cast<double>(t.regions) / steps, outside, inside, ms(t.waiting),
      outside / (outside + inside));
}

// The named cases, a line each: the name and the peers' option for the same work.
void print_list() {
  for (const TrainCase& c : kTrainCases)
    fmt::print("{} --train {},{},{},{},{},{},{},{},{}\n", c.name, c.d_model, c.ffn, c.heads,
               c.encoder, c.decoder, c.vocabulary, c.batch, c.source, c.target);
  for (const AttentionCase& c : kAttentionCases)
    fmt::print("{} --attention {},{},{},{},{}\n", c.name, c.batch, c.queries, c.keys, c.width,
               c.heads);
  for (const DecodeCase& c : kDecodeCases)
    fmt::print("{} --decode {},{},{},{},{},{},{},{},{},{}\n", c.name, c.d_model, c.ffn, c.heads,
               c.encoder, c.decoder, c.vocabulary, c.sentences, c.source, c.shortest, c.beam);
  fmt::print("op_overhead --op-overhead\n");
}

using Run = std::function<Result(const Timing&)>;

std::map<std::string, Run> cases() {
  std::map<std::string, Run> all;
  for (const TrainCase& c : kTrainCases) all[c.name] = [&c](const Timing& t) { return run(c, t); };
  for (const AttentionCase& c : kAttentionCases)
    all[c.name] = [&c](const Timing& t) { return run(c, t); };
  for (const DecodeCase& c : kDecodeCases)
    all[c.name] = [&c](const Timing& t) { return run(c, t); };
  all["op_overhead"] = run_op_overhead;
  return all;
}

int default_steps(const std::string& name) {
  const bool small = name == "train_toy" || name == "cross_toy" || name == "op_overhead";
  return small ? 200 : 9;
}

struct Prints {
  bool profile = false, regions = false;
};

// With regions, the profile is of the time outside of them.
void run_and_print(const std::string& name, const Run& run_case, Timing timing,
                   const Prints& prints) {
  std::optional<RegionWatch> watch;
  if (prints.regions) timing.watch = &watch.emplace();
  std::optional<Profiler> profiler;
  if (prints.profile && watch)
    profiler.emplace([&] { return watch->times().outside; });
  else if (prints.profile)
    profiler.emplace();
  const Result result = run_case(timing);
  print(name, result);
  if (watch) print_regions(name, result.steps.regions, timing.steps);
  if (profiler) fmt::print("\n{}\n{}\n", profiler->table(), profiler->table(Profiler::By::module));
}

// Runs a case in a child process.
int spawn(const std::string& name, const Run& run_case, Timing timing, const Prints& prints) {
  if (timing.steps == 0) timing.steps = default_steps(name);
  const pid_t child = fork();
  if (child == 0) {
    try {
      run_and_print(name, run_case, timing, prints);
    } catch (const Error& e) {
      fmt::print(stderr, "weft_bench: {}\n", e.what());
      _exit(1);
    }
    std::fflush(stdout);
    _exit(0);
  }
  int status = 1;
  waitpid(child, &status, 0);
  return status;
}

// A case of any size.
Run sized_training(const std::vector<int64_t>& n) {
  return [c = TrainCase{"train", n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8]}](
             const Timing& t) { return run(c, t); };
}
Run sized_attention(const std::vector<int64_t>& n) {
  return [c = AttentionCase{"attention", n[0], n[1], n[2], n[3], n[4]}](const Timing& t) {
    return run(c, t);
  };
}
Run sized_decoding(const std::vector<int64_t>& n) {
  return [c = DecodeCase{"decode", n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9]}](
             const Timing& t) { return run(c, t); };
}
Run sized_hvp(const std::vector<int64_t>& n) {
  return [c = AttentionCase{"hvp", n[0], n[1], n[2], n[3], n[4]}](const Timing& t) {
    return run_hvp(c, t);
  };
}

int run_program(int argc, char** argv) {
  CLI::App app{"Time training steps, attention calls and decoding; a JSON line for each case."};
  std::string name;
  int threads = num_threads();
  Timing timing{0, Record::none};
  Prints prints;
  bool list = false, bf16 = false;
  std::vector<int64_t> train, attention, curved, decoding;
  std::map<std::string, Run> all = cases();
  std::vector<std::string> names;
  for (const auto& entry : all) names.push_back(entry.first);
  auto* one = app.add_option_group("case", "What to time; all named cases if left out");
  one->add_option("--case", name, "A named case")->check(CLI::IsMember(names));
  auto add_sizes = [&](const char* option, std::vector<int64_t>& sizes, int count,
                       const char* what) {
    one->add_option(option, sizes, what)
        ->delimiter(',')
        ->expected(count)
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 30));
  };
  add_sizes("--train", train, 9,
            "A training step: d_model,ffn,heads,encoder,decoder,vocabulary,batch,source,target");
  add_sizes("--attention", attention, 5, "Cross-attention: batch,queries,keys,width,heads");
  add_sizes("--hvp", curved, 5, "The Hessian of attention times a vector: the same sizes");
  add_sizes("--decode", decoding, 10,
            "Beam search: d_model,ffn,heads,encoder,decoder,vocabulary,sentences,source,shortest,"
            "beam");
  one->add_flag("--list", list, "Print the named cases and the peers' options for them");
  one->require_option(0, 1);
  app.add_option("--threads", threads, "Threads to use")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--steps", timing.steps, "Timed steps; 0: as many as the case deserves")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--bf16", bf16, "Round operands of large products to bfloat16");
  app.add_option(
         "--record", timing.record,
         "Whether attention is recorded in training steps (run), and all of it computed (all)")
      ->transform(CLI::CheckedTransformer(kRecords));
  app.add_flag("--profile", prints.profile,
               "Print time and calls per op and per module, warm-up included");
  app.add_flag("--regions", prints.regions,
               "Print how parallel a step is; --profile then tells the time on one thread only");
  CLI11_PARSE(app, argc, argv);
  if (list) {
    print_list();
    return 0;
  }
  set_num_threads(threads);
  if (bf16) set_float32_matmul_precision(MatmulPrecision::bf16);
  if (!train.empty()) all[name = "train"] = sized_training(train);
  if (!attention.empty()) all[name = "attention"] = sized_attention(attention);
  if (!curved.empty()) all[name = "hvp"] = sized_hvp(curved);
  if (!decoding.empty()) all[name = "decode"] = sized_decoding(decoding);
  if (!name.empty()) names = {name};
  int failed = 0;
  for (const std::string& n : names) failed |= spawn(n, all.at(n), timing, prints);
  return failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_program(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "weft_bench: %s\n", e.what());
    return 1;
  }
}
