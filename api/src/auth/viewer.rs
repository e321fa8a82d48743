//! Who is asking: the outcome of a verified token, and the permits it can be turned into.

use std::marker::PhantomData;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::id::{EmployerId, MemberId, PartnerId};

use super::access::{Needs, Operation};
use super::scope::ScopeSet;

/// The kinds of viewer, as the API names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ViewerKind {
    /// Who runs this installation; belongs to no tenant.
    Operator,
    /// A client of one employer: its administration or its mobile backend.
    Employer,
    /// A client of one partner.
    Partner,
    /// One member, in person.
    Member,
}

/// In whose name a token acts. The tenants of a viewer come from here alone, so a viewer of two tenants cannot be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// No tenant: every input has to name the employer it is about.
    Operator,
    /// One employer.
    Employer(EmployerId),
    /// One partner.
    Partner(PartnerId),
    /// One member of one employer.
    Member {
        /// The employer the member belongs to.
        employer: EmployerId,
        /// The member.
        member: MemberId,
    },
}

impl Party {
    /// The kind of viewer the party makes.
    pub const fn kind(self) -> ViewerKind {
        match self {
            Self::Operator => ViewerKind::Operator,
            Self::Employer(_) => ViewerKind::Employer,
            Self::Partner(_) => ViewerKind::Partner,
            Self::Member { .. } => ViewerKind::Member,
        }
    }
}

/// A verified token: who asks, in whose name, with which scopes, until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// In whose name the token acts.
    pub party: Party,
    /// The client the token was given to; the text `plaudit` for a token printed on the command line.
    pub client_id: String,
    /// What the token may do.
    pub scopes: ScopeSet,
    /// When it was signed.
    pub issued_at: DateTime<Utc>,
    /// From this instant on it is worth nothing.
    pub expires_at: DateTime<Utc>,
    /// Its own id, for the audit log.
    pub token_id: String,
}

impl Viewer {
    /// The kind of viewer.
    pub const fn kind(&self) -> ViewerKind {
        self.party.kind()
    }

    /// The employer the token belongs to; none for the operator and for a partner.
    pub const fn employer(&self) -> Option<EmployerId> {
        match self.party {
            Party::Employer(employer) | Party::Member { employer, .. } => Some(employer),
            Party::Operator | Party::Partner(_) => None,
        }
    }

    /// The partner the token belongs to.
    pub const fn partner(&self) -> Option<PartnerId> {
        match self.party {
            Party::Partner(partner) => Some(partner),
            _ => None,
        }
    }

    /// The one member whose token this is. Where there is one, an operation answers about no other.
    pub const fn member(&self) -> Option<MemberId> {
        match self.party {
            Party::Member { member, .. } => Some(member),
            _ => None,
        }
    }

    /// Whether the token still counts at `now`.
    pub fn lives_at(&self, now: DateTime<Utc>) -> bool {
        now < self.expires_at
    }

    /// The permit for the operation `O`, if the token's scopes allow it.
    pub fn permit<O: Operation>(self: &Arc<Self>) -> Result<Permit<O>, Denied> {
        if O::NEEDS.are_met_by(self.scopes) {
            Ok(Permit {
                viewer: Arc::clone(self),
                operation: PhantomData,
            })
        } else {
            Err(Denied { needs: O::NEEDS })
        }
    }
}

/// The viewer lacks every scope that would allow the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this needs {needs}")]
pub struct Denied {
    /// What would have allowed it.
    pub needs: Needs,
}

/// Proof that a viewer may perform the operation `O`. It can be had from [`Viewer::permit`] alone, and an operation of
/// `domain` asks for it by value or reference: a resolver that forgot to check does not compile.
///
/// ```compile_fail,E0451
/// use api::auth::{access::CreateEmployer, viewer::{Permit, Viewer}};
/// fn forge(viewer: std::sync::Arc<Viewer>) -> Permit<CreateEmployer> {
///     Permit { viewer, operation: std::marker::PhantomData }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Permit<O: Operation> {
    viewer: Arc<Viewer>,
    // A permit owns no operation: it stays Send and Sync whatever `O` is.
    operation: PhantomData<fn() -> O>,
}

impl<O: Operation> Permit<O> {
    /// Who was permitted.
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::access::{self, TABLE};
    use crate::auth::testing::{at, viewer};

    #[test]
    fn a_viewer_knows_only_the_tenants_of_its_party() {
        let employer = "emp_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let member = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let partner = "ptr_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        for (party, kind, expected) in [
            (Party::Operator, ViewerKind::Operator, (None, None, None)),
            (
                Party::Employer(employer),
                ViewerKind::Employer,
                (Some(employer), None, None),
            ),
            (
                Party::Partner(partner),
                ViewerKind::Partner,
                (None, Some(partner), None),
            ),
            (
                Party::Member { employer, member },
                ViewerKind::Member,
                (Some(employer), None, Some(member)),
            ),
        ] {
            let viewer = Viewer {
                party,
                ..viewer("operator")
            };
            assert_eq!(viewer.kind(), kind);
            assert_eq!((viewer.employer(), viewer.partner(), viewer.member()), expected);
        }
    }

    #[test]
    fn one_of_the_scopes_is_enough_for_a_permit() {
        for scopes in ["programs:write", "operator", "feed:read operator"] {
            let permit = Arc::new(viewer(scopes))
                .permit::<access::CreateProgram>()
                .unwrap();
            assert_eq!(permit.viewer().scopes.to_string(), scopes);
        }
    }

    #[test]
    fn a_denial_names_the_scopes_that_were_needed_and_nothing_else() {
        let denied = Arc::new(viewer("programs:read"))
            .permit::<access::CreateProgram>()
            .unwrap_err();
        assert_eq!(
            denied.to_string(),
            "this needs the scope programs:write or operator"
        );
    }

    #[test]
    fn an_operator_reads_no_person() {
        let operator = Arc::new(viewer("operator"));
        assert!(operator.permit::<access::ReadMember>().is_err());
        assert!(operator.permit::<access::ListAchievements>().is_err());
        assert!(operator.permit::<access::ListMembers>().is_err());
        assert!(operator.permit::<access::ReadMemberAchievements>().is_err());
        assert!(operator.permit::<access::ReadMemberProgress>().is_err());
    }

    #[test]
    fn a_token_without_scopes_may_do_only_what_any_token_may() {
        for row in TABLE {
            assert_eq!(
                row.needs.are_met_by(ScopeSet::EMPTY),
                row.needs == Needs::AnyToken,
                "{}",
                row.field
            );
        }
    }

    #[test]
    fn a_viewer_is_dead_from_its_last_instant_on() {
        let viewer = viewer("operator");
        assert!(viewer.lives_at(at(599)));
        assert!(!viewer.lives_at(at(600)));
    }
}
