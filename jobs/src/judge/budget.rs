//! Budgets: how many awards a program has left, over all its members and incentives. First recorded, first served.
//!
//! The row of a program with a budget is locked from the reading of what is spent to the commit, after the members' rows and before
//! the feeds, so that two workers cannot spend the same award. Programs without a budget are not touched.

use std::collections::{BTreeMap, BTreeSet};

use entity::id::{EmployerId, ProgramId};
use entity::program;
use sea_orm::{ConnectionTrait, DbErr};

use super::Cases;
use crate::catalogue::Employers;

/// What the programs of a batch have left.
#[derive(Debug, Default)]
pub struct Budgets(BTreeMap<(EmployerId, ProgramId), Budget>);

#[derive(Debug)]
struct Budget {
    left: i64,
    spent: i64,
}

impl Budgets {
    /// Locks the budgets of the programs that these cases, or what is built on them, can give awards of. None when an employer has
    /// changed its programs since they were loaded.
    pub async fn lock_for(
        connection: &impl ConnectionTrait,
        employers: &Employers,
        cases: &Cases<'_>,
    ) -> Result<Option<Self>, DbErr> {
        let mut wanted: BTreeSet<(EmployerId, ProgramId)> = BTreeSet::new();
        for case in cases.values() {
            for compiled in case.catalogue.with_all_built_on(case.compiled) {
                if compiled.program.budget.is_some() {
                    wanted.insert((compiled.program.employer_id, compiled.program.id));
                }
            }
        }
        if wanted.is_empty() {
            return Ok(Some(Self::default()));
        }
        let owners = wanted.iter().map(|(employer, _)| *employer);
        if !employers.lock(connection, owners).await? {
            return Ok(None);
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let locked = program::lock_budgets(connection, &wanted).await?;
        let budgets = locked.into_iter().filter_map(|row| {
            let left = row.budget?.saturating_sub(row.budget_spent);
            Some(((row.employer_id, row.program_id), Budget { left, spent: 0 }))
        });
        Ok(Some(Self(budgets.collect())))
    }

    /// How many awards the program may still give; none: as many as it will.
    pub fn allowance(&self, program: &program::Model) -> Option<u32> {
        let budget = self.0.get(&(program.employer_id, program.id))?;
        Some(u32::try_from(budget.left.max(0)).unwrap_or(u32::MAX))
    }

    /// Takes awards out of the program's budget.
    pub fn spend(&mut self, program: &program::Model, awards: usize) {
        self.change(
            (program.employer_id, program.id),
            i64::try_from(awards).unwrap_or(i64::MAX),
        );
    }

    /// Gives an award back to the program's budget.
    pub fn give_back(&mut self, program: (EmployerId, ProgramId)) {
        self.change(program, -1);
    }

    fn change(&mut self, program: (EmployerId, ProgramId), spent: i64) {
        if let Some(budget) = self.0.get_mut(&program) {
            budget.left = budget.left.saturating_sub(spent);
            budget.spent = budget.spent.saturating_add(spent);
        }
    }

    /// Writes what was spent.
    pub async fn write(self, connection: &impl ConnectionTrait) -> Result<(), DbErr> {
        let deltas: Vec<_> = self
            .0
            .into_iter()
            .filter(|(_, budget)| budget.spent != 0)
            .map(|((employer, program), budget)| (employer, program, budget.spent))
            .collect();
        if deltas.is_empty() {
            return Ok(());
        }
        program::spend(connection, &deltas).await
    }
}
