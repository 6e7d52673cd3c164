//! What is masked and, more than that, what is not.

use hornbook_types::Mask;

use super::mask;

fn masked(text: &str) -> String {
    mask(text, &[Mask::Ip, Mask::Email, Mask::Phone]).map_or(text.to_owned(), |masked| masked.text)
}

#[test]
fn addresses_and_numbers_are_masked() {
    for (text, expected) in [
        ("Write to jane.doe+x@mail.example.org.", "Write to [email]."),
        ("<bob@example.com>, (al@b.co)", "<[email]>, ([email])"),
        ("Mail a@b.de: she answers.", "Mail [email]: she answers."),
        ("Call 212-555-0147 now.", "Call [phone] now."),
        ("Ring (212) 555-0147, or +44 20 7946 0958.", "Ring [phone], or [phone]."),
        ("It is 1-800-555-0199", "It is [phone]"),
        ("Tel.: 030 1234567", "Tel.: [phone]"),
        ("+49(30)1234567 is hers", "[phone] is hers"),
        ("from 203.0.113.77.", "from [ip]."),
        ("the server 8.8.8.8 answers", "the server [ip] answers"),
        ("at 81.2.69.142:8080", "at [ip]"),
        ("net 81.2.69.0/24 is", "net [ip]/24 is"),
        ("see 2001:4860:4860::8888", "see [ip]"),
    ] {
        assert_eq!(masked(text), expected, "{text}");
    }
}

#[test]
fn what_only_looks_like_it_stays() {
    for text in [
        "Version 91.12.4.100 and release 4.18.0.193 came out; 10.2.4.1 is a section, 3.1.2.4 too.",
        "On 2024-01-15, from 1914 to 1918, 12/11/2001, 15.03.2021, 12:30:45.",
        "ISBN 978-3-16-148410-0, ISBN 0-306-40615-2, ISSN 2049-3630, doi 10.1000/182.",
        "3.14159265358979, 1,000,000,000, 2 + 2 = 4, 123 456 789, 6.022e23, 1234567890",
        "192.168.0.1, 127.0.0.1, 10.0.0.7 and 172.16.3.9 are everybody's.",
        "256.300.1.2 and 1.2.3 and 1.2.3.4.5 and 01.02.03.204 are none.",
        "@app.route, pip install name@1.2.3, git@host.example.org:me/it.git, a@b.dot(c), x @ y",
        "std::vector, a::b, ::1, 00:1B:44:11:3A:B7",
        "```\nping 203.0.113.77 # 212-555-0147\n```\nand `81.2.69.142` inline",
        "f(200) 300-4000, x[212-555-0147:], 212-555-01478, 0212-555-0147",
        "Rows 200 300 4000 5000 of the table, 100-200-3000 in all.",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn kinds_are_counted_and_only_those_asked_for_are_masked() {
    let text = "Damn this shit: a@b.org, c@d.org or 212-555-0147.";
    let found = mask(text, &[Mask::Profanity, Mask::Email, Mask::Email]).expect("something");
    assert_eq!(found.text, "Damn this [profanity]: [email], [email] or 212-555-0147.");
    assert_eq!(found.counts, [(Mask::Email, 2), (Mask::Profanity, 1)]);
    assert!(mask(text, &[Mask::Ip]).is_none());
    assert!(mask(text, &[]).is_none());
}

#[test]
fn hostile_text_is_read_once() {
    for unit in ["@", "a@", "1-", "1.", "(", "+1 ", "::", "1.2.3.4", "`", "é@é.éé", "9"] {
        let text = unit.repeat((1 << 20) / unit.len());
        mask(&text, &[Mask::Email, Mask::Phone, Mask::Ip, Mask::Profanity]);
    }
}
