#include "dashboard/window/main_window.h"

#include <QApplication>
#include <QCloseEvent>
#include <QKeyEvent>
#include <QLineEdit>
#include <QMenuBar>
#include <QPainter>
#include <QSignalBlocker>
#include <QStatusBar>
#include <QToolBar>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <utility>

#include "dashboard/data/number_text.h"
#include "dashboard/window/picture.h"

namespace duet::dashboard {

namespace {

constexpr double kMatrixInterval = 0.5;  ///< seconds of the run
constexpr std::pair<double, const char*> kWindows[] = {{10, "10 s"},     {30, "30 s"},   {60, "1 min"},
                                                       {120, "2 min"},   {300, "5 min"}, {600, "10 min"},
                                                       {1800, "30 min"}, {3600, "1 h"}};

}  // namespace

MainWindow::MainWindow(RunSession& session, Settings& settings, const QPalette& system, QWidget* parent)
    : QMainWindow(parent),
      session_(session),
      settings_(settings),
      system_(system),
      theme_(Theme::choose(settings.theme(), system)),
      actions_(std::make_unique<Actions>(this)) {
  setWindowTitle(tr("Duet"));
  setObjectName(QStringLiteral("duet-dashboard"));
  setMinimumSize(720, 480);
  compose();
  wire_run_actions();
  wire_view_actions();
  wire_other_actions();
  connect(&session_, &RunSession::updated, this, &MainWindow::take);
  connect(&session_, &RunSession::ticked, this, &MainWindow::pass);
  connect(&session_, &RunSession::opened, this, &MainWindow::begin_anew);
  qApp->installEventFilter(this);
  set_theme(settings.theme());
  set_window_length(settings.window_seconds());
  begin_anew();
}

void MainWindow::compose() {
  actions_->fill(*menuBar());
  auto* bar = new QToolBar(tr("Tools"), this);
  bar->setObjectName(QStringLiteral("tools"));
  bar->setMovable(false);
  bar->setContextMenuPolicy(Qt::PreventContextMenu);
  for (const char* id : {"connect", "open", "record"})
    bar->addAction((*actions_)[id]);
  bar->addSeparator();
  bar->addAction((*actions_)["live"]);
  window_length_ = new QComboBox(bar);
  window_length_->setAccessibleName(tr("Length of the live window"));
  window_length_->setToolTip(tr("Length of the live window"));
  for (const auto& [seconds, name] : kWindows)
    window_length_->addItem(tr(name), seconds);
  bar->addWidget(window_length_);
  bar->addAction((*actions_)["fit"]);
  bar->addSeparator();
  for (const char* id : {"export_plots", "export_csv"})
    bar->addAction((*actions_)[id]);
  (*actions_)["export_plots"]->setIconText(tr("Picture"));
  (*actions_)["export_csv"]->setIconText(tr("CSV"));
  (*actions_)["connect"]->setIconText(tr("Connect"));
  (*actions_)["open"]->setIconText(tr("Open"));
  (*actions_)["record"]->setIconText(tr("Record"));
  (*actions_)["fit"]->setIconText(tr("Fit all"));
  bar->addSeparator();
  bar->addAction((*actions_)["help"]);
  addToolBar(bar);

  auto* middle = new QWidget(this);
  auto* column = new QVBoxLayout(middle);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  header_ = new RunHeader(theme_, middle);
  diagnosis_ = new DiagnosisPanel(theme_, middle);
  docks_ = new QMainWindow(middle);
  docks_->setWindowFlags(Qt::Widget);
  replay_ = new ReplayPanel(middle);
  column->addWidget(header_);
  column->addWidget(diagnosis_);
  column->addWidget(docks_, 1);
  column->addWidget(replay_);
  setCentralWidget(middle);

  plots_ = new PlotsPanel(session_.store, session_.view, session_.selection, theme_);
  graph_ = new GraphPanel(session_.selection, theme_);
  matrix_ = new MatrixWidget(theme_);
  workers_ = new WorkersPanel(session_.workers, session_.selection);
  events_ = new EventsPanel(session_.events, session_.selection);
  legend_ = new LegendWidget(session_.selection, theme_);
  docks_->setCentralWidget(plots_);
  layout_ = std::make_unique<DockLayout>(*docks_);
  layout_->add(DockLayout::Place::kLegend, QStringLiteral("legend"), tr("Legend"), legend_);
  layout_->add(DockLayout::Place::kGraph, QStringLiteral("graph"), tr("Graph"), graph_);
  layout_->add(DockLayout::Place::kMatrix, QStringLiteral("matrix"), tr("Pairing matrix"), matrix_);
  layout_->add(DockLayout::Place::kWorkers, QStringLiteral("workers"), tr("Workers"), workers_);
  layout_->add(DockLayout::Place::kEvents, QStringLiteral("events"), tr("Events"), events_);

  // A dock that was closed comes back from here, by keys too.
  QMenu* view = actions_->menu("&View");
  view->addSeparator();
  for (const QDockWidget* dock : layout_->docks())
    view->addAction(dock->toggleViewAction());

  connection_ = new ElidedLabel(this);
  points_ = new QLabel(this);
  recording_ = new ElidedLabel(this);
  statusBar()->addWidget(connection_, 1);
  statusBar()->addPermanentWidget(recording_);
  statusBar()->addPermanentWidget(points_);

  connect(diagnosis_, &DiagnosisPanel::finding_picked, this, &MainWindow::jump_to);
  connect(matrix_, &MatrixWidget::worker_picked, this,
          [this](int rank) { session_.selection.focus(rank < 0 ? std::nullopt : std::optional<int>(rank)); });
  connect(&session_.selection, &Selection::focus_changed, this, [this] {
    MatrixContent content = matrix_->content();
    content.focused = session_.selection.focused();
    matrix_->set_content(std::move(content));
  });
}

void MainWindow::set_theme(ThemeChoice choice) {
  theme_ = Theme::choose(choice, system_);
  for (const auto& [id, which] : {std::pair{"theme_system", ThemeChoice::kSystem},
                                  {"theme_light", ThemeChoice::kLight},
                                  {"theme_dark", ThemeChoice::kDark}}) {
    (*actions_)[id]->setChecked(which == choice);
  }
  QApplication::setPalette(theme_.palette());
  setStyleSheet(theme_.style_sheet());
  session_.set_theme(theme_);
  header_->set_theme(theme_);
  diagnosis_->set_theme(theme_);
  plots_->set_theme(theme_);
  graph_->set_theme(theme_);
  matrix_->set_theme(theme_);
  legend_->set_theme(theme_);
}

void MainWindow::begin_anew() {
  graph_->clear();
  matrix_at_ = 0.0;
  matrix_->set_content(pairing_matrix(session_.snapshot()));
  header_->apply(session_.snapshot());
  diagnosis_->apply({}, true);
  plots_->apply(session_.snapshot());
  legend_->set_count(0);
  replay_->set_playback(session_.is_open() ? session_.feed().playback() : nullptr);
  for (const char* id : {"play", "faster", "slower"})
    (*actions_)[id]->setEnabled(replay_->available());
  // A recording is there already, and could be written over while it is read.
  (*actions_)["record"]->setEnabled(session_.is_open() &&
                                    session_.feed().status().kind != observer::SourceKind::kReplay);
  {
    const QSignalBlocker quiet((*actions_)["record"]);
    (*actions_)["record"]->setChecked(false);
  }
  const QString name = session_.is_open() ? QString::fromStdString(session_.feed().status().name) : QString();
  setWindowTitle(name.isEmpty() ? tr("Duet") : tr("%1 – Duet").arg(name));
  show_status();
}

void MainWindow::take(const observer::Snapshot& snapshot, const observer::Update& update) {
  if (update.restarted) {
    graph_->clear();
    matrix_at_ = 0.0;
  }
  plots_->apply(snapshot);
  legend_->set_count(static_cast<int>(snapshot.workers.size()));
  for (const int rank : update.workers) {
    if (rank >= 0 && rank < static_cast<int>(snapshot.workers.size())) {
      legend_->set_worker(rank,
                          QString::fromStdString(snapshot.workers[static_cast<std::size_t>(rank)].host));
    }
  }
  graph_->apply(snapshot, update.shape_changed || update.restarted);
  pass(snapshot);
}

void MainWindow::pass(const observer::Snapshot& snapshot) {
  graph_->apply(snapshot, false);
  header_->apply(snapshot);
  diagnosis_->apply(snapshot.findings, snapshot.workers.empty());
  if (matrix_->isVisible() && std::abs(snapshot.time - matrix_at_) >= kMatrixInterval) {
    matrix_at_ = snapshot.time;
    MatrixContent content = pairing_matrix(snapshot);
    content.focused = session_.selection.focused();
    matrix_->set_content(std::move(content));
  }
  show_status();
}

void MainWindow::show_status() {
  const auto set = [](QLabel* label, const QString& text) {
    if (label->text() != text) label->setText(text);
  };
  if (!session_.is_open()) {
    set(connection_, tr("Not connected: Ctrl+K connects to a run, Ctrl+O opens a recording"));
    set(points_, {});
    set(recording_, {});
    return;
  }
  const observer::SourceStatus status = session_.feed().status();
  QString text = QStringLiteral("%1: %2").arg(QString::fromStdString(status.name),
                                              QString::fromLatin1(observer::to_string(status.state)));
  if (status.retry_in) text += tr(", next try in %1 s").arg(std::max(0.0, *status.retry_in), 0, 'f', 0);
  if (!status.text.empty() && status.kind != observer::SourceKind::kReplay)
    text += QStringLiteral(" – ") + QString::fromStdString(status.text);
  if (status.dropped > 0) text += tr(" – %1 frames lost here").arg(status.dropped);
  set(connection_, text);
  replay_->refresh(status.kind == observer::SourceKind::kReplay ? QString::fromStdString(status.text)
                                                                : QString());
  set(points_, tr("%1 points held, %2 dropped")
                   .arg(count_text(session_.store.points()), count_text(session_.store.dropped())));
  const auto recording = session_.feed().recording();
  QString record;
  if (recording) {
    record = recording->problem.empty()
                 ? tr("● recording, %1").arg(bytes_text(static_cast<double>(recording->bytes)))
                 : tr("recording ended: %1").arg(QString::fromStdString(recording->problem));
  }
  set(recording_, record);
}

void MainWindow::jump_to(int rank, int peer) {
  session_.selection.focus(rank);
  std::optional<std::pair<int, int>> edge;
  if (peer >= 0) edge = std::minmax({rank, peer});
  graph_->graph().pick_edge(edge);
  if (!edge) bring_up("workers");
  bring_up("graph");
}

void MainWindow::bring_up(const char* name) {
  auto* dock = docks_->findChild<QDockWidget*>(QString::fromLatin1(name));
  dock->show();
  dock->raise();
}

void MainWindow::set_window_length(double seconds) {
  session_.view.set_window(seconds);
  settings_.set_window_seconds(session_.view.window());
  int nearest = 0;
  for (int k = 1; k < window_length_->count(); ++k) {
    const auto distance = [&](int index) {
      return std::abs(std::log(window_length_->itemData(index).toDouble() / seconds));
    };
    if (distance(k) < distance(nearest)) nearest = k;
  }
  const QSignalBlocker quiet(window_length_);
  window_length_->setCurrentIndex(nearest);
}

void MainWindow::restore_layout() {
  reset_layout();
  if (settings_.docks().isEmpty()) return;
  restoreGeometry(settings_.geometry());
  docks_->restoreState(settings_.docks());
  plots_->splitter().restoreState(settings_.plots());
}

void MainWindow::reset_layout() {
  layout_->reset(size());
  const int height = std::max(plots_->height(), 400);
  plots_->splitter().setSizes({height * 40 / 100, height * 30 / 100, height * 30 / 100});
}

QImage MainWindow::picture() {
  QImage image(size(), QImage::Format_RGB32);
  image.fill(theme_.window);
  QPainter painter(&image);
  render(&painter);
  return image;
}

bool MainWindow::save_plots(const QString& path, QString* reason) {
  const QSize size = plots_->size().expandedTo({600, 400});
  return save_picture(
      path, size,
      [this](QPainter& painter, const QRect& rect) {
        int y = rect.top();
        for (int k = 0; k < PlotsPanel::kPlots; ++k) {
          const bool last = k + 1 == PlotsPanel::kPlots;
          const int height = last ? rect.bottom() + 1 - y : rect.height() / PlotsPanel::kPlots;
          plots_->plot(static_cast<PlotsPanel::PlotName>(k))
              .render_to(painter, {rect.left(), y, rect.width(), height});
          y += height;
        }
      },
      reason);
}

bool MainWindow::save_graph(const QString& path, QString* reason) {
  return save_picture(
      path, graph_->graph().size().expandedTo({400, 400}),
      [this](QPainter& painter, const QRect& rect) { graph_->graph().render_to(painter, rect); }, reason);
}

bool MainWindow::save_window(const QString& path, QString* reason) {
  return save_image(path, picture(), reason);
}

/// Space plays, but not where Space presses a button or toggles a row: there it belongs to the widget.
bool MainWindow::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::ShortcutOverride && static_cast<QKeyEvent*>(event)->key() == Qt::Key_Space &&
      static_cast<QKeyEvent*>(event)->modifiers() == Qt::NoModifier) {
    const bool theirs = watched->inherits("QAbstractButton") || watched->inherits("QComboBox") ||
                        watched->inherits("QListView") || watched->inherits("QLineEdit") ||
                        watched->inherits("QMenu");
    if (theirs) {
      event->accept();
      return true;
    }
  }
  return QMainWindow::eventFilter(watched, event);
}

void MainWindow::keyPressEvent(QKeyEvent* event) {
  // Escape that nobody else wanted.
  if (event->key() == Qt::Key_Escape) return session_.view.go_live();
  QMainWindow::keyPressEvent(event);
}

void MainWindow::closeEvent(QCloseEvent* event) {
  settings_.set_layout(saveGeometry(), docks_->saveState(), plots_->splitter().saveState());
  QMainWindow::closeEvent(event);
}

}  // namespace duet::dashboard
