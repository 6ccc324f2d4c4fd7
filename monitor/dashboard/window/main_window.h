#pragma once

#include <QComboBox>
#include <QLabel>
#include <QMainWindow>
#include <cstdint>
#include <memory>

#include "dashboard/data/run_session.h"
#include "dashboard/graph/matrix_widget.h"
#include "dashboard/panels/diagnosis_panel.h"
#include "dashboard/panels/elided_label.h"
#include "dashboard/panels/events_panel.h"
#include "dashboard/panels/graph_panel.h"
#include "dashboard/panels/plots_panel.h"
#include "dashboard/panels/replay_panel.h"
#include "dashboard/panels/run_header.h"
#include "dashboard/panels/workers_panel.h"
#include "dashboard/plot/legend_widget.h"
#include "dashboard/window/actions.h"
#include "dashboard/window/dock_layout.h"
#include "dashboard/window/settings.h"
#include "dashboard/window/theme.h"

namespace duet::dashboard {

/// Composes the panels; what a run looks like is theirs and the session's business.
class MainWindow : public QMainWindow {
  Q_OBJECT

 public:
  /// Seconds that a demo has run when its window opens: plots that are full say more than empty ones.
  static constexpr double kDemoWarmUp = 60.0;

  /// Session and settings must outlive the window. `system`: the palette before any theme was applied.
  MainWindow(RunSession& session, Settings& settings, const QPalette& system, QWidget* parent = nullptr);

  void set_theme(ThemeChoice choice);
  const Theme& theme() const { return theme_; }
  /// Docks as they are saved, or as they are at first.
  void restore_layout();
  void reset_layout();
  /// False, and the status bar says why: it was no source.
  bool connect_to(const QString& address, const QString& secret);
  bool open_recording(const QString& path);
  /// The same, later: reading a large file may take a while, and the window goes on meanwhile.
  void load_recording(const QString& path);
  void open_demo();
  bool start_recording(const QString& path, bool overwrite);
  /// As it would be on a screen; for pictures.
  QImage picture();
  bool save_plots(const QString& path, QString* reason);
  bool save_graph(const QString& path, QString* reason);
  /// What the plots show, as CSV: a copy is made at once and written later; the status bar says when, or why
  /// not.
  void save_table(const QString& path);

  Actions& actions() { return *actions_; }
  PlotsPanel& plots() { return *plots_; }
  GraphPanel& graph() { return *graph_; }
  MatrixWidget& matrix() { return *matrix_; }
  WorkersPanel& workers() { return *workers_; }
  EventsPanel& events() { return *events_; }
  DiagnosisPanel& diagnosis() { return *diagnosis_; }
  ReplayPanel& replay() { return *replay_; }
  LegendWidget& legend() { return *legend_; }
  QMainWindow& docks() { return *docks_; }
  QString status_text() const { return connection_->text(); }
  QString points_text() const { return points_->text(); }
  QComboBox& window_lengths() { return *window_length_; }

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void closeEvent(QCloseEvent* event) override;

 private:
  void compose();
  void wire_run_actions();
  void wire_view_actions();
  void wire_other_actions();
  void take(const observer::Snapshot& snapshot, const observer::Update& update);
  void pass(const observer::Snapshot& snapshot);
  void show_status();
  void begin_anew();
  void jump_to(int rank, int peer);
  void bring_up(const char* dock);
  void set_window_length(double seconds);
  void show_text(const QString& title, const QString& html);
  bool complain(const QString& text);
  QString ask_for_name(const QString& title, const QString& filter, const QString& suffix);
  void ask_to_save(const QString& title, const QString& filter,
                   bool (MainWindow::*save)(const QString&, QString*));
  void say_written(const QString& path, const QString& problem);
  bool save_window(const QString& path, QString* reason);
  void toggle_recording(bool on);

  RunSession& session_;
  Settings& settings_;
  QPalette system_;
  Theme theme_;
  std::unique_ptr<Actions> actions_;

  RunHeader* header_;
  DiagnosisPanel* diagnosis_;
  QMainWindow* docks_;
  std::unique_ptr<DockLayout> layout_;
  PlotsPanel* plots_;
  GraphPanel* graph_;
  MatrixWidget* matrix_;
  WorkersPanel* workers_;
  EventsPanel* events_;
  LegendWidget* legend_;
  ReplayPanel* replay_;
  QComboBox* window_length_;
  ElidedLabel* connection_;
  QLabel* points_;
  ElidedLabel* recording_;
  double matrix_at_ = 0.0;
  std::uint64_t asked_ = 0;  ///< how often a source was asked for: a file that is read too late is not opened
};

}  // namespace duet::dashboard
