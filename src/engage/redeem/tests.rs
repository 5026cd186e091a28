//! A row for each response to a redeem.

use super::*;
use crate::core::domain::Channel;
use crate::core::id::{AssignmentId, OperationId};
use crate::engage::purchases::tests::{engage, response};
use uuid::Uuid;

#[test]
fn success_counts_only_with_a_body_that_does_not_contradict_it() {
    let id = Uuid::from_u128(7);
    let redeem = Redeem {
        id: OperationId::from_uuid(Uuid::from_u128(1)),
        contact: None,
        assignment: AssignmentId::from_uuid(id),
        channel: Channel::Pos,
    };
    let engage = engage("{}");
    let result = |status, body: &str| engage.redeem_result(&redeem, response(status, body));
    for (status, body) in [
        (200, String::new()),
        (204, " \n".into()),
        (201, "{}".into()),
        (200, format!(r#"{{"id":"{id}","redeemed":true}}"#)),
        (200, r#"{"redeemedOn":"2026-01-01T00:00:00Z"}"#.into()),
    ] {
        let completed = AttemptResult::Completed { response: body.trim().to_owned() };
        assert_eq!(result(status, &body), completed, "{status} {body}");
    }
    for (body, cause) in [
        (r#"{"errorCode":"SomethingNew"}"#, "the response has a success and an error code"),
        ("no JSON", "the response is not JSON"),
        ("[]", "the response is not a JSON object"),
        ("null", "the response is not a JSON object"),
        (r#"{"id":"00000000-0000-4000-8000-000000000009"}"#, "the response is about another reward"),
        (r#"{"redeemed":false}"#, "the response says that the reward is not redeemed"),
        (r#"{"success":false}"#, "the response says that the redeem was no success"),
    ] {
        let result = result(200, body);
        let AttemptResult::InDoubt(reason) = &result else { panic!("{body}: {result:?}") };
        assert_eq!((reason.code, reason.detail.http_status), (Code::PendingInvalidResponse, Some(200)), "{body}");
        assert_eq!(reason.cause, [cause], "{body}");
    }
    let not_utf8 = Response { body: vec![0xFF], ..response(200, "") };
    let AttemptResult::InDoubt(reason) = engage.redeem_result(&redeem, not_utf8) else { panic!("known") };
    assert_eq!(reason.cause, ["the response is not UTF-8"]);
    let coded = |code: &str| result(200, &format!(r#"{{"errorCode":"{code}"}}"#));
    assert!(matches!(coded("PromotionAlreadyRedeemed"), AttemptResult::AlreadyRedeemed(_)));
    assert!(matches!(coded("PromotionAssignmentError"), AttemptResult::Over(_)));
    assert!(matches!(coded("PointShopItemPurchaseProcessingTimedOut"), AttemptResult::Processing(_)));
    let documented = coded("NotAValidRedemptionChannel");
    assert!(matches!(documented, AttemptResult::Rejected { documented: true, .. }), "{documented:?}");
    assert!(matches!(result(202, "{}"), AttemptResult::InDoubt(_)));
    assert!(matches!(result(404, "{}"), AttemptResult::Rejected { documented: false, .. }));
}
