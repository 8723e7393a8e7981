// The program's subcommands. Each adds its options to the command line and runs when it is chosen.
#pragma once

#include <CLI/App.hpp>

namespace translate {

void add_train(CLI::App& app);
void add_run(CLI::App& app);
void add_score(CLI::App& app);
void add_show(CLI::App& app);

/// The option that all commands with a model have.
void add_model_dir(CLI::App& command, std::string& dir);
/// Throws if standard output could not be written, as on a full disk.
void flush_output();
/// How many threads to use; 0 leaves the default.
void add_threads(CLI::App& command, int& threads);

}  // namespace translate
