#pragma once

#include <QString>
#include <memory>

#include "dashboard/data/run_session.h"
#include "dashboard/window/command_line.h"
#include "dashboard/window/main_window.h"

namespace duet::dashboard {

/// The source that was asked for; nullptr: none was. Throws ConfigurationError.
std::unique_ptr<observer::Source> make_source(const CommandLine& options);

/// Brings the session to `after` seconds of the run and writes the picture and the table that were asked for.
/// A demo or a recording runs by a clock of its own, as fast as it can; a live run takes as long as it takes.
/// Returns the exit code and, where it is not 0, says why in *problem.
int run_headless(const CommandLine& options, RunSession& session, MainWindow& window, QString* problem);

}  // namespace duet::dashboard
