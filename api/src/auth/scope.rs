//! Scopes: what a token may do. Their text forms are the public contract; who may hold which one stands here too.

use std::fmt;
use std::str::FromStr;

use super::viewer::ViewerKind;

macro_rules! scopes {
    ($($variant:ident = $text:literal: $allows:literal;)*) => {
        /// One thing a token may be allowed to do. Declared in the order of the text forms, so that a set prints sorted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope {
            $(#[doc = $allows] $variant,)*
        }

        impl Scope {
            /// Every scope there is, in the order of the text forms.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The public text form.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// What the scope allows, in one sentence for a reader of the documentation.
            pub const fn allows(self) -> &'static str {
                match self {
                    $(Self::$variant => $allows,)*
                }
            }
        }
    };
}

scopes! {
    AchievementsRead = "achievements:read": "Read achievements and progress; those of sensitive incentives only as counts.";
    AuditRead = "audit:read": "Read the log of all changes that were made to the employer.";
    EventsWrite = "events:write": "Send and retract events.";
    FeedRead = "feed:read": "Read the partner's feed: by page, by subscription, as a digest and as an export.";
    FulfilmentWrite = "fulfilment:write": "Fulfil or cancel the redemptions that the partner fulfils.";
    MailWrite = "mail:write": "Report bounces and complaints, so that nothing more is written to an address.";
    MemberAny = "member:any": "Everything of any member of the employer: for the mobile backend, which acts for them.";
    MemberSelf = "member:self": "Everything of the one member named in the token.";
    MembersRead = "members:read": "Read the members of the employer.";
    MembersWrite = "members:write": "Register, change and erase members.";
    Operator = "operator": "Create employers, partners and clients, and set up any employer by naming it; reads no person.";
    PointsRead = "points:read": "Read balances and histories of points.";
    PointsWrite = "points:write": "Adjust points by hand.";
    ProgramsRead = "programs:read": "Read the employer, its programs and incentives, and reports without people.";
    ProgramsWrite = "programs:write": "Set up event types, programs, incentives, rewards, campaigns and grants to partners.";
    RedemptionsWrite = "redemptions:write": "Redeem rewards and cancel redemptions.";
    ReportsRead = "reports:read": "Read reports.";
    WebhooksWrite = "webhooks:write": "Set up webhook endpoints and replay their deliveries: a partner's, or with `member:any` the mobile backend's.";
}

impl Scope {
    /// The kind of holder a scope is made for. `operator` belongs to nobody's tenant; the employer's scopes act
    /// inside one employer, the partner's inside one partner, `member:self` on one member.
    const fn home(self) -> ViewerKind {
        match self {
            Self::Operator => ViewerKind::Operator,
            Self::FeedRead | Self::FulfilmentWrite | Self::WebhooksWrite => ViewerKind::Partner,
            Self::MemberSelf => ViewerKind::Member,
            Self::AchievementsRead
            | Self::AuditRead
            | Self::EventsWrite
            | Self::MailWrite
            | Self::MemberAny
            | Self::MembersRead
            | Self::MembersWrite
            | Self::PointsRead
            | Self::PointsWrite
            | Self::ProgramsRead
            | Self::ProgramsWrite
            | Self::RedemptionsWrite
            | Self::ReportsRead => ViewerKind::Employer,
        }
    }

    /// Whether a scope has a meaning for this kind of holder: for the one that it is made for; webhooks an employer's mobile backend can
    /// have as well as a partner.
    fn suits(self, kind: ViewerKind) -> bool {
        self.home() == kind || (self == Self::WebhooksWrite && kind == ViewerKind::Employer)
    }

    /// Whether a token of this kind may carry the scope. A token without a tenant may also carry the employer's scopes: it
    /// then holds them for every employer and has to name one on each input. Only `plaudit token` makes such tokens.
    pub fn fits_token(self, kind: ViewerKind) -> bool {
        self.suits(kind) || (kind == ViewerKind::Operator && self.suits(ViewerKind::Employer))
    }

    /// Whether a client of this kind may be registered with the scope. Narrower than [`Scope::fits_token`]: a client of the
    /// operator is for administration alone and never gets at members, and a client is never one member.
    pub fn fits_client(self, kind: ViewerKind) -> bool {
        self.suits(kind) && kind != ViewerKind::Member
    }

    const fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a scope of Plaudit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a scope")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL
            .iter()
            .copied()
            .find(|scope| scope.as_str() == text)
            .ok_or(UnknownScope)
    }
}

/// A set of scopes. Its text form is that of OAuth (RFC 6749 §3.3): separated by single spaces, here always sorted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ScopeSet(u32);

/// A text is not a list of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeSetError {
    /// Nothing in it, or not separated by single spaces.
    #[error("a list of scopes is one or more scopes separated by single spaces")]
    Malformed,
    /// A name in it that is no scope.
    #[error("the list holds an unknown scope")]
    Unknown,
}

impl ScopeSet {
    /// No scope at all.
    pub const EMPTY: Self = Self(0);

    /// Whether `scope` is in the set.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether every scope of the set is also in `other`.
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether no scope is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes of the set, sorted by their text.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .iter()
            .copied()
            .filter(move |scope| self.contains(*scope))
    }

    /// Reads a list, leaving out the names this version does not know. For tokens: during an upgrade a newer process may
    /// have signed one with a scope an older one has not heard of, and a scope that is left out can only take rights away.
    pub fn parse_known(text: &str) -> Result<Self, ScopeSetError> {
        names(text)?
            .map(|name| Ok(name.parse().into_iter().collect::<Self>().0))
            .try_fold(Self::EMPTY, |set, bits| Ok(Self(set.0 | bits?)))
    }
}

/// The names in a list, which must be well formed whether or not they are known: scope-token of RFC 6749 §3.3.
fn names(text: &str) -> Result<impl Iterator<Item = &str>, ScopeSetError> {
    let well_formed = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
    };
    if text.split(' ').all(well_formed) {
        Ok(text.split(' '))
    } else {
        Err(ScopeSetError::Malformed)
    }
}

impl FromStr for ScopeSet {
    type Err = ScopeSetError;

    fn from_str(text: &str) -> Result<Self, ScopeSetError> {
        names(text)?
            .map(|name| name.parse().map_err(|UnknownScope| ScopeSetError::Unknown))
            .collect()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().enumerate().try_for_each(|(index, scope)| {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())
        })
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeSet({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_forms_are_the_pinned_ones_and_sorted() {
        let texts: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        let pinned = "achievements:read audit:read events:write feed:read fulfilment:write mail:write member:any member:self members:read \
                      members:write operator points:read points:write programs:read programs:write redemptions:write \
                      reports:read webhooks:write";
        assert_eq!(texts.join(" "), pinned);
        assert!(texts.is_sorted());
    }

    #[test]
    fn a_list_prints_sorted_and_without_repetition() {
        let set: ScopeSet = "operator feed:read operator".parse().unwrap();
        assert_eq!(set.to_string(), "feed:read operator");
        assert_eq!(format!("{set:?}"), "ScopeSet(feed:read operator)");
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        for bad in [
            "",
            " ",
            " operator",
            "operator ",
            "operator  feed:read",
            "operator\tfeed:read",
            "oper\"ator",
            "é",
        ] {
            assert_eq!(bad.parse::<ScopeSet>(), Err(ScopeSetError::Malformed), "{bad:?}");
            assert_eq!(
                ScopeSet::parse_known(bad),
                Err(ScopeSetError::Malformed),
                "{bad:?}"
            );
        }
        assert_eq!(
            "operator everything".parse::<ScopeSet>(),
            Err(ScopeSetError::Unknown)
        );
        assert_eq!("Operator".parse::<ScopeSet>(), Err(ScopeSetError::Unknown));
    }

    #[test]
    fn a_lenient_reading_leaves_out_what_it_does_not_know() {
        assert_eq!(
            ScopeSet::parse_known("operator later:read").unwrap().to_string(),
            "operator"
        );
        assert!(ScopeSet::parse_known("later:read").unwrap().is_empty());
    }

    #[test]
    fn each_kind_of_client_is_offered_only_its_own_scopes() {
        let offered = |kind| {
            Scope::ALL
                .iter()
                .copied()
                .filter(|scope| scope.fits_client(kind))
                .collect::<ScopeSet>()
        };
        assert_eq!(offered(ViewerKind::Operator).to_string(), "operator");
        assert_eq!(
            offered(ViewerKind::Partner).to_string(),
            "feed:read fulfilment:write webhooks:write"
        );
        assert!(offered(ViewerKind::Member).is_empty());
        let employer = offered(ViewerKind::Employer);
        assert_eq!(employer.iter().count(), 14);
        assert!(employer.contains(Scope::WebhooksWrite));
        assert!(!employer.contains(Scope::Operator) && !employer.contains(Scope::MemberSelf));
    }

    #[test]
    fn a_token_holds_no_scope_that_has_no_meaning_for_its_tenant() {
        for (scope, kind, fits) in [
            (Scope::MemberSelf, ViewerKind::Member, true),
            (Scope::MemberSelf, ViewerKind::Employer, false),
            (Scope::MemberSelf, ViewerKind::Operator, false),
            (Scope::MembersRead, ViewerKind::Operator, true),
            (Scope::MembersRead, ViewerKind::Member, false),
            (Scope::FeedRead, ViewerKind::Operator, false),
            (Scope::FeedRead, ViewerKind::Employer, false),
            (Scope::WebhooksWrite, ViewerKind::Partner, true),
            (Scope::WebhooksWrite, ViewerKind::Employer, true),
            (Scope::WebhooksWrite, ViewerKind::Member, false),
            (Scope::Operator, ViewerKind::Employer, false),
            (Scope::Operator, ViewerKind::Partner, false),
        ] {
            assert_eq!(scope.fits_token(kind), fits, "{scope} {kind:?}");
        }
    }

    proptest! {
        #[test]
        fn a_set_reads_back_from_its_text(bits in 1u32..(1 << 18)) {
            let set: ScopeSet = Scope::ALL.iter().copied().filter(|scope| bits & scope.bit() != 0).collect();
            prop_assert_eq!(set.to_string().parse::<ScopeSet>(), Ok(set));
            prop_assert_eq!(set.iter().count(), bits.count_ones() as usize);
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in ".*") {
            if let Ok(set) = text.parse::<ScopeSet>() {
                prop_assert_eq!(ScopeSet::parse_known(&text), Ok(set));
            }
        }
    }
}
