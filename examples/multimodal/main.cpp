// Text that attends to pictures: a model answers questions about little scenes. What its words
// find in the picture is concatenated with what they were in one run, and added in a second. Then
// an SVG shows where it looked, and what that did to the answer.
//   multimodal [PICTURE.svg [UPDATES [SEED]]]
#include <weft/seq2seq.h>
#include <weft/weft.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>

#include "data.h"
#include "model.h"
#include "picture.h"

using namespace weft;
using namespace scenes;

namespace {

void train(Answerer& model, const Data& data, int64_t updates, Generator random) {
  const auto start = std::chrono::steady_clock::now();
  Adam adam(model.named_parameters(), {.lr = 2e-3, .beta2 = 0.98});
  Schedule schedule(adam, [cosine = schedules::cosine(updates)](int64_t step) {
    return std::min(1.0, static_cast<double>(step + 1) / 200) * cosine(step);
  });
  Teacher teacher;
  for (int64_t update = 1; update <= updates; ++update) {
    const std::vector<Asked> asked = teacher.ask(data, random);
    const QuestionBatch batch = make_batch(data, asked);
    const Tensor logits = model(batch.questions, batch.ink).output;
    const Tensor loss = cross_entropy(logits, batch.answers);
    loss.backward();
    adam.step(clip_factor(grad_norm(adam.parameters()), 1));
    adam.zero_grad();
    schedule.step();
    teacher.mark(asked, argmax(logits, -1).to_vector<int64_t>());
    if (update % 1000 != 0) continue;
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    std::printf("  update %5lld: loss %.3f, %.1f s\n", static_cast<long long>(update), loss.item(),
                time.count());
  }
}

struct Score {
  double right = 0, all = 0;
  double percent() const { return 100 * right / all; }
};
using Scores = std::map<std::string, Score>;
using Answers = std::function<std::vector<std::string>(const std::vector<Asked>&)>;

// How often it is right, by kind of question and by whether training asked it.
Scores judge(const Data& data, const Answers& answer) {
  Scores scores;
  for (const auto* asked : {&data.test, &data.new_test}) {
    const std::vector<std::string> found = answer(*asked);
    for (size_t i = 0; i < found.size(); ++i) {
      const Question& question = (*asked)[i].question;
      const char* known = asked == &data.test ? "asked before" : "never asked";
      for (const std::string& name : {question.kind, std::string(known), std::string("all")}) {
        scores[name].right += found[i] == question.answer;
        scores[name].all += 1;
      }
    }
  }
  return scores;
}

std::vector<std::string> look(Answerer& model, const Data& data, const std::vector<Asked>& asked) {
  const NoGrad no_grad;
  const QuestionBatch batch = make_batch(data, asked);
  std::vector<std::string> found;
  for (const int64_t id : argmax(model(batch.questions, batch.ink).output, -1).to_vector<int64_t>())
    found.push_back(data.answers->piece(id));
  return found;
}

// Without looking: what was the commonest answer to that question in training, or to its kind if
// it was never asked.
std::vector<std::string> guess(const Data& data, const std::vector<Asked>& asked) {
  std::map<std::string, std::map<std::string, int>> counts;
  for (const Asked& a : data.train)
    for (const std::string& key : {a.question.text, a.question.kind})
      ++counts[key][a.question.answer];
  std::vector<std::string> found;
  for (const Asked& a : asked) {
    const auto seen = counts.find(a.question.text);
    const auto& answers = seen != counts.end() ? seen->second : counts[a.question.kind];
    found.push_back(std::max_element(answers.begin(), answers.end(), [](auto& x, auto& y) {
                      return x.second < y.second;
                    })->first);
  }
  return found;
}

// Draws the attention of each word of a question, and how the logit of the answer changes with it:
// the mean of its heads, and the sum over them.
void draw_look(Answerer& model, const Data& data, const Asked& asked, const std::string& file) {
  const QuestionBatch batch = make_batch(data, {asked});
  const AttentionResult result = model(batch.questions, batch.ink, AttentionWeights::per_head);
  const Tensor logits = select(result.output, 0, 0);
  const int64_t answer = argmax(logits, 0).item<int64_t>();
  const Tensor slope = grad(select(logits, 0, answer), result.weights);  // [1, H, T, P]
  draw_svg(file, {1 - select(batch.ink, 0, 0), asked.question.text, data.answers->piece(answer),
                  select(mean(result.weights, {1}), 0, 0), select(sum(slope, {1}), 0, 0)});
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string file = argc > 1 ? argv[1] : "multimodal.svg";
  const int64_t updates = argc > 2 ? std::atoll(argv[2]) : 6000;
  const uint64_t seed = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1;  // of the models
  open_picture(file);  // that it can be written is known before the training
  const Data data = draw_data(Generator(1));
  std::printf("%zu questions to train on, %zu of other scenes, %zu more never asked in training\n",
              data.train.size(), data.test.size(), data.new_test.size());
  std::vector<Scores> scores{judge(data, [&](const auto& asked) { return guess(data, asked); })};
  for (const Combine combine : {Combine::concatenate, Combine::add}) {
    std::puts(combine == Combine::add ? "add" : "concatenate");
    Generator generator(seed);
    Answerer model(data.words->size(), kPixelsOfPatch, data.answers->size(), combine, generator);
    train(model, data, updates, generator);
    scores.push_back(judge(data, [&](const auto& asked) { return look(model, data, asked); }));
    const auto shown = std::find_if(data.new_test.begin(), data.new_test.end(),
                                    [](const auto& a) { return a.question.kind == "which way"; });
    if (combine == Combine::concatenate) draw_look(model, data, *shown, file);
  }
  std::puts("\n% right        guessing  concatenate       add");
  for (const auto& [name, guessed] : scores[0])
    std::printf("%-14s %8.1f %12.1f %9.1f\n", name.c_str(), guessed.percent(),
                scores[1][name].percent(), scores[2][name].percent());
} catch (const std::exception& error) {
  std::fprintf(stderr, "multimodal: %s\n", error.what());
  return 1;
}
