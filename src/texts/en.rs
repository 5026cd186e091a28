//! The texts in English.

use super::{Texts, text};

pub(super) const TEXTS: Texts = Texts {
    bought: text("Done. The member has got the reward.", "Done. The reward is yours."),
    redeemed: text("Done. The reward is used on this receipt.", "Done. Your reward has been used."),
    declined: text("Not possible. Go on without the reward.", "Sorry, this is not possible."),
    not_possible: text(
        "Not possible: too few points, or not an offer for this member.",
        "You have too few points, or the offer does not apply to you.",
    ),
    offer_ended: text("This offer has ended.", "This offer has ended, and cannot be bought any more."),
    member_not_found: text(
        "No such member. Check the number or the e-mail address.",
        "We cannot find your membership. Please check your details.",
    ),
    check_entry: text("Check the entry, and search again.", "Please check your details."),
    several_members: text("Several members match. Search by the member number.", "Please give us your member number."),
    reward_used: text("This reward has been used before.", "Your reward has been used before."),
    reward_not_valid: text("This reward cannot be used here.", "Your reward cannot be used here."),
    not_available: text("Not available now. Call support.", "Points and rewards are not available right now."),
    try_again: text("No contact right now. Try again.", "We cannot reach the points right now."),
    interrupted: text("This was interrupted. Try again.", "This was interrupted. We will try again."),
    reward_in_use: text(
        "This reward is in use on another receipt. Try again later.",
        "Your reward is in use on another receipt.",
    ),
    pending: text(
        "Not clear yet. Finish the sale; the result comes by itself.",
        "We are handling your request. You will see it in your points.",
    ),
    pending_call: text(
        "Not clear yet. Finish the sale, and call support.",
        "Your request takes a little longer. You will see it in your points.",
    ),
    review: text(
        "A person must check this. Finish the sale, and ask your manager.",
        "We will check this for you. You need not do anything.",
    ),
};
