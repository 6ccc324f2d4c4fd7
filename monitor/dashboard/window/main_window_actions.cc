// What the rows of Actions::table() do. The window's other half.
#include <QApplication>
#include <QClipboard>
#include <QDialog>
#include <QDialogButtonBox>
#include <QFileDialog>
#include <QMessageBox>
#include <QSignalBlocker>
#include <QStatusBar>
#include <QTextBrowser>
#include <QVBoxLayout>
#include <exception>
#include <memory>
#include <utility>

#include "dashboard/data/background.h"
#include "dashboard/window/connect_dialog.h"
#include "dashboard/window/csv_table.h"
#include "dashboard/window/main_window.h"
#include "duet/version.h"

namespace duet::dashboard {

void MainWindow::wire_run_actions() {
  const auto on = [this](const char* id, auto what) {
    connect((*actions_)[id], &QAction::triggered, this, what);
  };
  on("connect", [this] {
    ConnectDialog dialog(settings_.recent_addresses(), theme_, this);
    if (dialog.exec() == QDialog::Accepted) connect_to(dialog.address(), dialog.secret());
  });
  on("open", [this] {
    const QString path = QFileDialog::getOpenFileName(this, tr("Open recording"), {},
                                                      tr("Recordings (*.duetrec);;All files (*)"));
    if (!path.isEmpty()) load_recording(path);
  });
  on("demo", [this] { open_demo(); });
  connect((*actions_)["record"], &QAction::toggled, this, &MainWindow::toggle_recording);
  on("export_plots",
     [this] { ask_to_save(tr("Save plots"), tr("PNG (*.png);;SVG (*.svg)"), &MainWindow::save_plots); });
  on("export_graph",
     [this] { ask_to_save(tr("Save graph"), tr("PNG (*.png);;SVG (*.svg)"), &MainWindow::save_graph); });
  on("export_window",
     [this] { ask_to_save(tr("Save window"), tr("PNG (*.png)"), &MainWindow::save_window); });
  on("export_csv", [this] {
    const QString path = ask_for_name(tr("Save visible data"), tr("CSV (*.csv)"), QStringLiteral("csv"));
    if (!path.isEmpty()) save_table(path);
  });
  on("copy", [this] {
    const bool graph = graph_->graph().hasFocus();
    QWidget* what = graph ? static_cast<QWidget*>(&graph_->graph()) : plots_;
    QApplication::clipboard()->setPixmap(what->grab());
    statusBar()->showMessage(
        graph ? tr("The graph is on the clipboard") : tr("The plots are on the clipboard"), 4000);
  });
  on("quit", [this] { close(); });
}

void MainWindow::wire_view_actions() {
  const auto on = [this](const char* id, auto what) {
    connect((*actions_)[id], &QAction::triggered, this, what);
  };
  TimeView& view = session_.view;
  on("live", [&view] { view.toggle_live(); });
  connect(&view, &TimeView::live_changed, this, [this](bool live) {
    QAction* action = (*actions_)["live"];
    action->setChecked(!live);
    action->setText(live ? tr("&Pause") : tr("&Live"));
  });
  on("fit", [this] {
    session_.view.fit();
    for (int k = 0; k < PlotsPanel::kPlots; ++k)
      plots_->plot(static_cast<PlotsPanel::PlotName>(k)).fix_values(std::nullopt);
  });
  const auto step = [this](int by) {
    const int index = std::clamp(window_length_->currentIndex() + by, 0, window_length_->count() - 1);
    set_window_length(window_length_->itemData(index).toDouble());
  };
  on("longer", [step] { step(1); });
  on("shorter", [step] { step(-1); });
  connect(window_length_, &QComboBox::activated, this, [this](int index) {
    set_window_length(window_length_->itemData(index).toDouble());
    session_.view.go_live();
  });
  on("all_lines", [this] { session_.selection.show_all(); });
  on("no_lines", [this] { session_.selection.show_none(); });
  (*actions_)["bound"]->setChecked(true);
  connect((*actions_)["bound"], &QAction::toggled, plots_, &PlotsPanel::set_bound_shown);
  for (const auto& [id, choice] : {std::pair{"theme_system", ThemeChoice::kSystem},
                                   {"theme_light", ThemeChoice::kLight},
                                   {"theme_dark", ThemeChoice::kDark}}) {
    const ThemeChoice wanted = choice;
    on(id, [this, wanted] {
      settings_.set_theme(wanted);
      set_theme(wanted);
    });
  }
  const auto go = [this, on](const char* id, const char* dock, QWidget& widget) {
    on(id, [this, dock, &widget] {
      if (dock != nullptr) bring_up(dock);
      widget.setFocus(Qt::ShortcutFocusReason);
    });
  };
  go("go_plots", nullptr, plots_->plot(PlotsPanel::kConsensus));
  go("go_legend", "legend", legend_->list());
  go("go_graph", "graph", graph_->graph());
  go("go_matrix", "matrix", *matrix_);
  go("go_workers", "workers", workers_->table());
  go("go_events", "events", events_->table());
  on("reset_layout", [this] {
    settings_.forget_layout();
    reset_layout();
  });
  connect((*actions_)["full_screen"], &QAction::toggled, this,
          [this](bool full) { full ? showFullScreen() : showNormal(); });
}

void MainWindow::wire_other_actions() {
  const auto on = [this](const char* id, auto what) {
    connect((*actions_)[id], &QAction::triggered, this, what);
  };
  on("play", [this] { replay_->toggle(); });
  on("faster", [this] { replay_->faster(); });
  on("slower", [this] { replay_->slower(); });
  on("what_if_reset", [this] { graph_->reset_what_if(); });
  on("what_if_remove", [this] {
    if (const auto rank = session_.selection.focused()) {
      graph_->toggle_worker(*rank);
    } else {
      statusBar()->showMessage(tr("No worker has the attention: click one in the graph or the table"), 5000);
    }
  });
  on("no_focus", [this] { session_.selection.focus(std::nullopt); });
  on("help", [this] { show_text(tr("Help"), actions_->help_html()); });
  on("shortcuts", [this] { show_text(tr("Keys and mouse"), actions_->shortcuts_html()); });
  on("about", [this] {
    show_text(tr("About Duet"),
              tr("<h2>Duet %1</h2><p>Asynchronous decentralised deep learning with A²CiD². Apache-2.0.</p>"
                 "<p>Qt %2 (LGPL), used as a shared library.</p>")
                  .arg(QStringLiteral(DUET_VERSION_STRING), QString::fromLatin1(qVersion())));
  });
}

bool MainWindow::complain(const QString& text) {
  statusBar()->showMessage(text, 15000);
  connection_->setText(text);
  // A dialog only where somebody is there to read it.
  if (isVisible() && QGuiApplication::platformName() != QStringLiteral("offscreen"))
    QMessageBox::warning(this, tr("Duet"), text);
  return false;
}

bool MainWindow::connect_to(const QString& address, const QString& secret) {
  try {
    ++asked_;
    observer::LiveOptions options;
    options.address = address.toStdString();
    options.secret = secret.toStdString();
    session_.open(observer::make_live_source(options));
    settings_.add_recent_address(address);
    return true;
  } catch (const std::exception& error) {
    return complain(QString::fromUtf8(error.what()));
  }
}

bool MainWindow::open_recording(const QString& path) {
  try {
    ++asked_;
    session_.open(observer::make_replay_source(path.toLocal8Bit().toStdString()));
    return true;
  } catch (const std::exception& error) {
    return complain(QString::fromUtf8(error.what()));
  }
}

void MainWindow::load_recording(const QString& path) {
  statusBar()->showMessage(tr("Reading %1 …").arg(path));
  struct Loaded {
    std::unique_ptr<observer::Source> source;
    QString problem;
  };
  in_background(
      this,
      [file = path.toLocal8Bit().toStdString()] {
        Loaded loaded;
        try {
          loaded.source = observer::make_replay_source(file);
        } catch (const std::exception& error) {
          loaded.problem = QString::fromUtf8(error.what());
        }
        return loaded;
      },
      [this, asked = ++asked_](Loaded loaded) {
        if (asked_ != asked) return;
        statusBar()->clearMessage();
        if (loaded.source == nullptr) {
          complain(loaded.problem);
        } else {
          session_.open(std::move(loaded.source));
        }
      });
}

void MainWindow::open_demo() {
  ++asked_;
  observer::DemoOptions options;
  options.warm_up = kDemoWarmUp;
  session_.open(observer::make_demo_source(options));
}

bool MainWindow::start_recording(const QString& path, bool overwrite) {
  QString reason;
  const bool replay = session_.is_open() && session_.feed().status().kind == observer::SourceKind::kReplay;
  if (replay) reason = tr("A recording is played: it is there already");
  const bool good =
      session_.is_open() && !replay && session_.feed().start_recording(path, overwrite, &reason);
  const QSignalBlocker quiet((*actions_)["record"]);
  (*actions_)["record"]->setChecked(good);
  show_status();
  return good || complain(session_.is_open() ? reason : tr("Nothing is watched that could be recorded"));
}

void MainWindow::toggle_recording(bool on) {
  if (!session_.is_open()) return;
  if (!on) {
    session_.feed().stop_recording();
    return show_status();
  }
  // The file dialog has asked already whether to overwrite.
  const QString path = QFileDialog::getSaveFileName(this, tr("Record to"), QStringLiteral("run.duetrec"),
                                                    tr("Recordings (*.duetrec)"));
  if (!path.isEmpty()) {
    start_recording(path, true);
  } else {
    const QSignalBlocker quiet((*actions_)["record"]);
    (*actions_)["record"]->setChecked(false);
  }
}

QString MainWindow::ask_for_name(const QString& title, const QString& filter, const QString& suffix) {
  QFileDialog dialog(this, title, {}, filter);
  dialog.setAcceptMode(QFileDialog::AcceptSave);
  dialog.setDefaultSuffix(suffix);
  connect(&dialog, &QFileDialog::filterSelected, &dialog, [&dialog](const QString& chosen) {
    const auto dot = chosen.lastIndexOf(QStringLiteral("*."));
    if (dot >= 0) dialog.setDefaultSuffix(chosen.mid(dot + 2).remove(')'));
  });
  if (dialog.exec() != QDialog::Accepted || dialog.selectedFiles().isEmpty()) return {};
  return dialog.selectedFiles().constFirst();
}

void MainWindow::ask_to_save(const QString& title, const QString& filter,
                             bool (MainWindow::*save)(const QString&, QString*)) {
  const QString path = ask_for_name(title, filter, QStringLiteral("png"));
  if (path.isEmpty()) return;
  QString reason;
  const bool good = (this->*save)(path, &reason);
  say_written(path, good ? QString() : reason);
}

void MainWindow::save_table(const QString& path) {
  in_background(
      this,
      [path, table = CsvTable(session_.store, session_.view.range())] {
        QString problem;
        table.save(path, &problem);
        return problem;
      },
      [this, path](const QString& problem) { say_written(path, problem); });
}

void MainWindow::say_written(const QString& path, const QString& problem) {
  if (problem.isEmpty()) {
    statusBar()->showMessage(tr("Written: %1").arg(path), 5000);
  } else {
    complain(problem);
  }
}

void MainWindow::show_text(const QString& title, const QString& html) {
  for (QDialog* shown : findChildren<QDialog*>(QStringLiteral("text"))) {
    if (shown->windowTitle() != title) continue;
    shown->raise();
    return shown->activateWindow();
  }
  auto* dialog = new QDialog(this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setObjectName(QStringLiteral("text"));
  dialog->setWindowTitle(title);
  dialog->resize(640, 560);
  auto* layout = new QVBoxLayout(dialog);
  auto* text = new QTextBrowser(dialog);
  text->setHtml(html);
  layout->addWidget(text);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, dialog);
  connect(buttons, &QDialogButtonBox::rejected, dialog, &QDialog::reject);
  layout->addWidget(buttons);
  dialog->show();
}

}  // namespace duet::dashboard
