//! Brings one world up, keeps it up, and ends it.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::signal::unix::Signal;
use tokio::sync::watch;

use crate::environment::Environment;
use crate::log::Log;
use crate::options::RunOptions;
use crate::product::{API, Product, SANDBOX, WORKER};
use crate::ready::Asker;
use crate::run_file::{Login, RunFile, World};
use crate::services::{Services, Wanted};
use crate::settings::Settings;
use crate::signals::Signals;
use crate::state_dir::StateDir;
use crate::supervisor::{Lives, Supervisor};
use crate::terminal::{complain, say};
use crate::{postgres, redis, secrets, signals};

/// Two databases, so that a real world after a demo knows nobody of it.
const REAL_DATABASE: &str = "chat_center";
const DEMO_DATABASE: &str = "chat_center_demo";
const PASSWORD: &str = "demo-password-1";
/// What api and worker are given to end what they do, when they are only started again.
const DRAINED_WITHIN: Duration = Duration::from_secs(10);

/// Who may sign in to the demo; the seed makes them.
const LOGINS: [Login; 5] = [
    login("demo", "owner@demo.test", "owner"),
    login("demo", "anna@demo.test", "agent"),
    login("demo", "boris@demo.test", "agent"),
    login("acme", "owner@acme.test", "owner"),
    login("operators", "operator@demo.test", "operator"),
];
/// Who looks into the queue.
const AGENT: &Login = &LOGINS[1];

const fn login(tenant: &'static str, email: &'static str, role: &'static str) -> Login {
    Login {
        tenant,
        email,
        password: PASSWORD,
        role,
    }
}

/// Runs a world until a signal ends it; whatever happens, nothing of it is left running.
pub async fn run(options: RunOptions) -> Result<()> {
    let mut signals = Signals::listen()?;
    let mut keys_changed = signals::keys_changed()?;
    let start = Start::prepare(options)?;
    let mut supervisor = Supervisor::default();
    let outcome = tokio::select! {
        problem = start.bring_up_and_keep(&mut supervisor, &mut keys_changed) => problem,
        () = signals.any() => {
            say("stopping");
            Ok(())
        }
    };
    stop(&supervisor).await;
    outcome
}

/// In the order in which they need each other; within 9 s in all.
async fn stop(supervisor: &Supervisor) {
    let product = [API, WORKER];
    supervisor.stop(&product, Duration::from_secs(5)).await;
    supervisor.stop(&[SANDBOX], Duration::from_secs(1)).await;
    let servers = [redis::NAME, postgres::NAME];
    supervisor.stop(&servers, Duration::from_millis(1500)).await;
}

/// All that a world needs before its first process.
struct Start {
    options: RunOptions,
    settings: Settings,
    product: Product,
    logs: [Log; 3],
    file: RunFile,
    // The last to be dropped: the folder is ours until the file is gone.
    state: StateDir,
}

impl Start {
    fn prepare(options: RunOptions) -> Result<Self> {
        let settings = Settings::read(&options, &Environment::of_process_and_file()?)?;
        let state = StateDir::take(&settings.state_dir)?;
        settings.check_ports()?;
        if settings.fresh {
            state.forget()?;
        }
        Ok(Self {
            product: product(&options, &settings, &state)?,
            options,
            settings,
            logs: [state.log(API)?, state.log(WORKER)?, state.log(SANDBOX)?],
            file: RunFile::take(state.join("run.json"))?,
            state,
        })
    }

    /// Returns only with a problem.
    async fn bring_up_and_keep(
        &self,
        supervisor: &mut Supervisor,
        keys_changed: &mut Signal,
    ) -> Result<()> {
        let mut lives = supervisor.lives();
        let mut world = tokio::select! {
            world = self.bring_up(supervisor) => world?,
            problem = self.first_death(lives.clone()) => return problem,
        };
        self.file
            .write(&world, &lives.borrow_and_update().clone())?;
        self.introduce(&world);
        supervisor.speak();
        loop {
            tokio::select! {
                changed = lives.changed() => changed?,
                _ = keys_changed.recv() => match self.start_again(supervisor, &world).await {
                    Ok(()) => world.restarts += 1,
                    Err(problem) => complain(&format!("{problem:#}")),
                },
            }
            let now = lives.borrow_and_update().clone();
            if let Err(problem) = self.file.write(&world, &now) {
                complain(&format!("{problem:#}"));
            }
        }
    }

    async fn bring_up(&self, supervisor: &mut Supervisor) -> Result<World> {
        let [api_log, worker_log, sandbox_log] = self.logs.clone();
        let sandbox = self.settings.sandbox_url();
        say("starting PostgreSQL and Redis");
        if sandbox.is_some() {
            supervisor.start(self.product.server(SANDBOX, sandbox_log));
        }
        let services = Services::start(supervisor, &self.state, self.wanted()).await?;
        let product = self.product.with(&services);
        say("migrating the database");
        let migrate = product.step("migrate", &["migrate"], self.state.log("migrate")?);
        migrate.finish().await?;
        supervisor.start(product.server(API, api_log));
        supervisor.start(product.server(WORKER, worker_log));
        let asker = Asker::new()?;
        let api = self.settings.api_url();
        if let Some(sandbox) = &sandbox {
            say("seeding the demo");
            asker.answers(&format!("{sandbox}/control/state")).await?;
            let seed = ["seed-demo", "--sandbox", sandbox.as_str()];
            product
                .step("seed-demo", &seed, self.state.log("seed-demo")?)
                .finish()
                .await?;
        }
        asker.answers(&format!("{api}/ready")).await?;
        if sandbox.is_some() {
            say("waiting for the first chats");
            asker.chats_queue(&api, AGENT).await?;
        }
        Ok(self.world(services))
    }

    /// Starts api and worker again, one after the other, with the keys as they are now.
    async fn start_again(&self, supervisor: &mut Supervisor, world: &World) -> Result<()> {
        let product = product(&self.options, &self.settings, &self.state)?;
        let product = product.at(&world.database_url, &world.redis_url);
        let [api_log, worker_log, _] = self.logs.clone();
        for (name, log) in [(WORKER, worker_log), (API, api_log)] {
            supervisor.stop(&[name], DRAINED_WITHIN).await;
            supervisor.start(product.server(name, log));
        }
        Asker::new()?.answers(&format!("{}/ready", world.api)).await
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            database_url: self.settings.database_url.as_deref(),
            redis_url: self.settings.redis_url.as_deref(),
            database: if self.settings.real {
                REAL_DATABASE
            } else {
                DEMO_DATABASE
            },
            settings: &[],
        }
    }

    /// A program of ours that dies before the world is ready will die again: better to say why.
    async fn first_death(&self, mut lives: watch::Receiver<Lives>) -> Result<()> {
        let dead = |lives: &Lives, name| lives.get(name).is_some_and(|life| life.deaths > 0);
        let names = [API, WORKER, SANDBOX];
        let lives = lives
            .wait_for(|lives| names.iter().any(|name| dead(lives, name)))
            .await?;
        for (name, log) in names.iter().zip(&self.logs) {
            if dead(&lives, name) {
                bail!("{name} did not start: {}", log.tail());
            }
        }
        Ok(())
    }

    fn world(&self, services: Services) -> World {
        World {
            supervisor: std::process::id(),
            restarts: 0,
            api: self.settings.api_url(),
            sandbox: self.settings.sandbox_url(),
            database_url: services.database_url,
            redis_url: services.redis_url,
            deepseek_api_url: self.of_demo("DEEPSEEK_API_URL"),
            deepseek_api_key: self.of_demo("DEEPSEEK_API_KEY"),
            logins: if self.settings.real {
                Vec::new()
            } else {
                LOGINS.to_vec()
            },
        }
    }

    /// What the demo's programs are told under this name.
    fn of_demo(&self, name: &str) -> Option<String> {
        let value = self.product.variable(name).filter(|_| !self.settings.real);
        value.map(ToOwned::to_owned)
    }

    fn introduce(&self, world: &World) {
        let api = &world.api;
        say(&format!("\napi         {api} (documentation: {api}/docs)"));
        if let Some(sandbox) = &world.sandbox {
            say(&format!("sandbox     {sandbox}"));
        }
        say(&format!(
            "PostgreSQL  {}",
            without_password(&world.database_url)
        ));
        say(&format!(
            "Redis       {}",
            without_password(&world.redis_url)
        ));
        say(&format!(
            "logs        {}",
            self.state.join("logs").display()
        ));
        if !world.logins.is_empty() {
            say(&format!(
                "\nsign in to the demo with the password {PASSWORD} as"
            ));
        }
        for Login {
            email,
            role,
            tenant,
            ..
        } in &world.logins
        {
            say(&format!("  {email:<20} {role} of {tenant}"));
        }
        say(&format!("\nready {api}"));
    }
}

/// The programs with the keys as they are now.
fn product(options: &RunOptions, settings: &Settings, state: &StateDir) -> Result<Product> {
    let mut environment = Environment::of_process_and_file()?;
    secrets::complete(&mut environment, &state.join("env"))?;
    let mut product = Product::find(options.programs.as_deref(), environment)?;
    product.tell(settings, state);
    Ok(product)
}

/// An address for everybody's eyes.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    format!("{scheme}://{place}")
}
