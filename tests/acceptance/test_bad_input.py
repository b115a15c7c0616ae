"""Bad input gets one clear sentence, the documented exit code, and leaves nothing half-written."""

import csv
import json
import os
import sqlite3
from pathlib import Path

import pytest

from tests.support.shop import Shop, day, run, shop

__all__ = ["shop"]

CUSTOMERS = "customer,name,phone,birthday\nK-1,Олена,+380501234567,1990-03-15\n"


def one_sentence(text: str) -> bool:
    return len(text.strip().splitlines()) == 1 and "Traceback" not in text


def test_an_unknown_key_names_the_nearest_one(shop: Shop) -> None:
    shop.change("scenarios/bonus-expiring.yaml", "    ahead:", "    aheads:")
    said = shop.run("check")
    assert said.code == 1
    place = "scenarios/bonus-expiring.yaml:6:5: when.bonus_expiring.aheads"
    assert f"{place}: no such parameter; did you mean 'ahead'?" in said.out


def test_a_wrong_type_says_what_is_expected(shop: Shop) -> None:
    shop.change("scenarios/bonus-expiring.yaml", "at_least: 100 ", "at_least: many ")
    said = shop.run("check")
    assert said.code == 1
    assert "when.bonus_expiring.at_least: expected a number, got 'many'" in said.out


def test_a_template_that_names_a_fact_which_does_not_exist_is_told_where(shop: Shop) -> None:
    shop.write("messages/bonus-expiring/uk/sms.txt", "{{ trigger.expire_on }}")
    said = shop.run("check")
    assert said.code == 1
    assert (
        "messages/bonus-expiring/uk/sms.txt:1:4: 'trigger.expire_on' is not provided by bonus_expiring; "
        "it provides expiring, expires_on, days_left" in said.out
    )


def test_a_scenario_that_names_a_missing_message_is_told_so(shop: Shop) -> None:
    shop.change("scenarios/birthday.yaml", "message: birthday", "message: birthdays")
    said = shop.run("check")
    assert said.code == 1
    place = "scenarios/birthday.yaml:9:5: steps[0].message"
    assert f"{place}: no such message: 'birthdays'; did you mean 'birthday'?" in said.out


def test_every_mistake_in_every_file_is_said_at_once(shop: Shop) -> None:
    shop.change("scenarios/birthday.yaml", "message: birthday", "message: birthdays")
    shop.change("scenarios/win-back.yaml", "    for: 60 days", "    for: long")
    shop.change("program.yaml", "currency: UAH", "currency: HRYVNIA")
    files = {line.split(":")[0] for line in shop.run("check").out.splitlines()}
    assert {"scenarios/birthday.yaml", "scenarios/win-back.yaml", "program.yaml"} <= files


def test_a_choice_that_there_is_not_is_told_in_our_words(shop: Shop) -> None:
    for wrong, sentence in (
        (("card", "preview", "--side", "top"), "'--side': 'top' is not one of 'front', 'back', 'both'"),
        (("dry-run", "--sample", "few"), "'--sample': must be a whole number"),
    ):
        said = shop.run(*wrong)
        assert (said.code, sentence in said.err) == (2, True), said.err


def test_a_broken_workspace_is_not_applied(shop: Shop) -> None:
    shop.change("scenarios/birthday.yaml", "message: birthday", "message: birthdays")
    said = shop.run("apply")
    assert said.code == 1
    assert "birthdays" in said.err
    shop.change("scenarios/birthday.yaml", "message: birthdays", "message: birthday")
    assert (
        shop.run("tick").err
        == "tidings: nothing is live yet; run `tidings apply` to make this workspace live\n"
    )


def test_a_folder_without_a_program_is_told_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(monkeypatch, capsys, ["-w", str(tmp_path), "check"])
    assert said.code == 2
    assert "no program.yaml in" in said.err
    assert "tidings init" in said.err
    assert one_sentence(said.err)


def test_a_command_in_the_wrong_folder_leaves_no_database_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["status"], ["history"], ["pause", "birthday"], ["tick"]):
        said = run(monkeypatch, capsys, ["-w", str(tmp_path), *words])
        assert (said.code, "no program.yaml in" in said.err) == (2, True), (words, said)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_told_so(shop: Shop) -> None:
    said = shop.run("-w", str(shop.path / "program.yaml"), "check")
    assert said.code == 2
    assert said.err == f"tidings: {shop.path / 'program.yaml'} is a file; name its folder: -w {shop.path}\n"


def test_init_does_not_touch_a_folder_that_holds_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    said = run(monkeypatch, capsys, ["init", str(tmp_path)])
    assert said.code == 2
    assert "not empty" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "mine.txt").rename(tmp_path / ".env")
    assert "not empty: .env" in run(monkeypatch, capsys, ["init", str(tmp_path)]).err
    assert (tmp_path / ".env").read_text() == "mine"
    assert "is a file" in run(monkeypatch, capsys, ["init", str(tmp_path / ".env")]).err


def test_init_takes_a_new_users_home_a_fresh_repository_and_the_root_of_a_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".bashrc").write_text("mine")
    (tmp_path / ".git").mkdir()
    (tmp_path / "lost+found").mkdir()
    assert run(monkeypatch, capsys, ["init", str(tmp_path)]).code == 0
    assert (tmp_path / "program.yaml").exists()
    assert (tmp_path / ".bashrc").read_text() == "mine"


def test_bad_rows_are_set_aside_with_line_and_reason_and_the_rest_goes_in(shop: Shop) -> None:
    file = shop.write("c.csv", CUSTOMERS + "K-2,Тарас,050 12,1990-01-01\nK-3,Ірина,,tomorrow\nK-4,Іван,,\n")
    said = shop.run("import", "customers", str(file), "--format", "json")
    assert said.code == 1
    report = json.loads(said.out)
    assert (report["read"], report["created"], report["rejected"]) == (4, 2, 2)
    rejects = [json.loads(line) for line in Path(report["rejects"]).read_text("utf-8").splitlines()]
    assert [(row["line"], row["row"]["customer"]) for row in rejects] == [(3, "K-2"), (4, "K-3")]
    assert "international form" in rejects[0]["reason"]


def test_a_repeated_import_changes_nothing(shop: Shop) -> None:
    file = shop.write("c.csv", CUSTOMERS)
    shop.run("import", "customers", str(file))
    again = json.loads(shop.run("import", "customers", str(file), "--format", "json").out)
    assert (again["created"], again["changed"], again["unchanged"]) == (0, 0, 1)


def test_a_missing_column_names_the_nearest_header(shop: Shop) -> None:
    file = shop.write("c.csv", "custommer,name\nK-1,Олена\n")
    said = shop.run("import", "customers", str(file))
    assert said.code == 2
    assert "custommer" in said.err
    assert one_sentence(said.err)


def test_a_missing_file_is_one_sentence(shop: Shop) -> None:
    said = shop.run("import", "customers", "nowhere.csv")
    assert said.code == 2
    assert "nowhere.csv" in said.err
    assert one_sentence(said.err)


def test_a_database_that_does_not_answer_is_one_sentence_without_its_password(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_DATABASE", "postgresql://tidings:s3cret@127.0.0.1:9/tidings")
    said = shop.run("tick")
    assert said.code == 3
    assert "cannot be used" in said.err
    assert "s3cret" not in said.err
    assert one_sentence(said.err)


def test_a_locked_database_is_one_sentence_and_nothing_is_written(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run("apply", "--yes", "--as", "anna")
    monkeypatch.setattr("core.db.database.BUSY_MS", 50)
    other = sqlite3.connect(shop.path / "tidings.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        said = shop.run("import", "customers", str(shop.write("c.csv", CUSTOMERS)))
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert said.code == 3
    assert "is locked by another program" in said.err
    assert one_sentence(said.err)
    assert shop.run("customer", "K-1").code == 2


def test_a_database_of_somebody_else_is_left_alone(shop: Shop) -> None:
    other = sqlite3.connect(shop.path / "tidings.db")
    other.execute("CREATE TABLE customer (id INTEGER)")
    other.commit()
    other.close()
    said = shop.run("tick")
    assert said.code == 3
    assert "not of Tidings" in said.err


def test_a_missing_secret_says_which_and_where(shop: Shop) -> None:
    shop.write(".env", "")
    said = shop.run("import", "customers", str(shop.write("c.csv", CUSTOMERS)))
    assert said.code == 3
    assert "TIDINGS_SECRET" in said.err
    assert ".env" in said.err
    assert one_sentence(said.err)


def test_a_missing_credential_stops_a_tick_before_anything_is_decided(shop: Shop) -> None:
    shop.run("apply", "--yes", "--as", "anna")
    shop.write(".env", (shop.path / ".env").read_text() + "TIDINGS_SMS_TRANSPORT=twilio\n")
    said = shop.run("tick")
    assert said.code == 3
    assert "TIDINGS_SMS_ACCOUNT_SID" in said.err
    assert one_sentence(said.err)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("dry-run", "bonus-expirin"), "did you mean 'bonus-expiring'?"),
        (("dry-run", "--at", "noon"), "write for example '2026-03-01 10:00'"),
        (("messages", "--state", "bogus"), "there is no state 'bogus'"),
        (("customer", "nobody"), "there is no customer 'nobody'"),
        (("pause", "nothing"), "run `tidings apply`"),
        (("test", "--run", "nothing"), "no test is named like 'nothing'"),
        (("import", "things", "x.csv"), "customers"),
    ],
)
def test_misuse_is_one_sentence_with_a_hint(shop: Shop, words: tuple[str, ...], hint: str) -> None:
    said = shop.run(*words)
    assert said.code == 2
    assert hint in said.err
    assert one_sentence(said.err)


def test_a_clock_is_never_set_back_by_a_scenario_test(shop: Shop) -> None:
    shop.change("tests/birthday.yaml", "at: 2027-02-28 12:00", "at: 2027-02-27 12:00")
    said = shop.run("test")
    assert said.code == 1
    assert "tests/birthday.yaml:" in said.err
    assert "a clock only goes forward" in said.err


def test_a_quote_that_is_never_closed_costs_one_row_and_not_the_file(shop: Shop) -> None:
    rows = "".join(f"K-{number},Guest {number},,\n" for number in range(10, 200))
    file = shop.write("c.csv", f'{CUSTOMERS}K-2,"oops,,\n{rows}')
    report = json.loads(shop.run("import", "customers", str(file), "--format", "json").out)
    assert (report["read"], report["created"], report["rejected"]) == (192, 191, 1)
    [reject] = [json.loads(line) for line in Path(report["rejects"]).read_text("utf-8").splitlines()]
    assert reject["line"] == 3
    assert "never closed" in reject["reason"]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("kind: qr", "kind: qrr", "barcode.kind"),
        (
            "{{ balance | number }}",
            "{{ balence | number }}",
            "'balence' is not known here; did you mean 'balance'?",
        ),
        ("{{ balance | number }}", "{{ balance | numbr }}", "No filter named 'numbr'"),
        ("images/icon.png", "images/icn.png", "there is no file cards/images/icn.png"),
    ],
)
def test_a_wrong_card_is_found_by_check_and_not_applied(shop: Shop, old: str, new: str, what: str) -> None:
    shop.change("cards/loyalty.yaml", old, new)
    said = shop.run("check")
    assert said.code == 1
    assert "cards/loyalty.yaml:" in said.out
    assert what in said.out
    assert shop.run("apply").code == 1
    assert "nothing is live yet" in shop.run("tick").err


def test_a_misspelt_setting_is_not_ignored_in_silence(shop: Shop) -> None:
    shop.write(".env", (shop.path / ".env").read_text() + "TIDINGS_EMAIL_TRANSPROT=smtp\n")
    said = shop.run("check")
    assert said.code == 1
    assert "no such setting; did you mean 'TIDINGS_EMAIL_TRANSPORT'?" in said.out


@pytest.mark.parametrize("url", ["mysql://x", "nonsense"])
def test_another_kind_of_database_is_one_sentence(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("TIDINGS_DATABASE", url)
    said = shop.run("tick")
    assert said.code == 3
    assert "TIDINGS_DATABASE is neither sqlite:///file nor postgresql://" in said.err
    assert one_sentence(said.err)


def test_a_file_that_is_no_database_is_one_sentence(shop: Shop) -> None:
    shop.write("tidings.db", "garbage " * 1000)
    said = shop.run("tick")
    assert said.code == 3
    assert "is not a database" in said.err
    assert one_sentence(said.err)


def test_a_stopped_look_is_told_again_until_somebody_agrees(shop: Shop) -> None:
    # Born in a leap year: the day may be the 29th of February.
    soon = day(30)
    birthday = f"1992{soon[4:]}"
    people = f"{CUSTOMERS}K-2,Тарас,+380501234568,1990-03-15\n".replace("1990-03-15", birthday)
    file = shop.write("c.csv", people)
    consents = "customer,channel,granted,at\n" + "".join(
        f"{name},sms,yes,2025-01-01T10:00:00+02:00\n" for name in ("K-1", "K-2")
    )
    shop.change("program.yaml", "max_per_look: 50000", "max_per_look: 1")
    shop.change("program.yaml", "holdout: 5%", "holdout: 0%")
    shop.run("import", "customers", str(file))
    shop.run("import", "consents", str(shop.write("s.csv", consents)))
    assert shop.run("apply", "--yes").code == 0
    for time in ("10:00", "10:05"):
        said = shop.run("tick", "--at", f"{soon} {time}")
        assert said.code == 1
        assert "birthday is stopped: its look would enrol 2 customers" in said.out
    assert shop.run("resume", "birthday", "--allow", "2").code == 0
    assert shop.run("tick", "--at", f"{soon} 10:10").code == 0


@pytest.mark.parametrize(
    "words",
    [
        "messages {}", "rollback {}", "show {}", "approve {}", "apply --yes --base {}",
        "resume birthday --allow {}", "codes list --after {}", "keys revoke {}", "calls --day 9999-12-31",
        "calls --day 0001-01-01",
    ],
)  # fmt: skip
def test_a_number_or_a_day_that_nothing_has_is_misuse(shop: Shop, words: str) -> None:
    assert shop.run("apply", "--yes").code == 0
    said = shop.run(*words.format("9" * 25).split())
    assert (said.code, "Traceback" in said.err) == (2, False), said.err
    assert said.err


def test_settings_that_are_no_text_are_one_sentence(shop: Shop) -> None:
    (shop.path / ".env").write_bytes("TIDINGS_API_TOKEN=пароль\n".encode("cp1251"))
    said = shop.run("status")
    assert (said.code, ".env is no text in UTF-8" in said.err) == (3, True)
    assert one_sentence(said.err)


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("serve --host a..b", "the address a..b cannot be listened at"),
        ("keys revoke 99999999999999999999", "there is no key '99999999999999999999' to revoke"),
        ("messages 99999999999999999999", "Invalid value"),
        ("retry 99999999999999999999", "Invalid value"),
        ("rollback 99999999999999999999", "Invalid value"),
        ("show 99999999999999999999", "Invalid value"),
        ("dry-run --compare 99999999999999999999", "--compare: '99999999999999999999' is no version"),
        ("dry-run --compare ²", "--compare: '²' is no version and no workspace"),
        ("approve 99999999999999999999", "Invalid value"),
        ("resume birthday --allow 3000000000", "Invalid value"),
        ("codes list --after 99999999999999999999", "Invalid value"),
        ("calls --day 9999-12-31", "--day: the year 9999 is not between 1970 and 2200"),
    ],
)
def test_what_no_database_and_no_calendar_has_is_told_as_a_mistake(
    shop: Shop, command: str, what: str
) -> None:
    assert shop.run("apply", "--yes").code == 0
    said = shop.run(*command.split())
    assert said.code in (2, 3)
    assert what in said.err


def test_what_a_terminal_of_another_encoding_gives_is_one_sentence(shop: Shop) -> None:
    assert shop.run("apply", "--yes").code == 0
    said = shop.run("customer", os.fsdecode("Олена".encode("koi8-r")))
    assert (said.code, "no text in UTF-8" in said.err) == (2, True)
    assert one_sentence(said.err)


def test_a_sheet_of_calls_that_is_no_csv_is_one_sentence(shop: Shop) -> None:
    assert shop.run("apply", "--yes").code == 0
    sheet = shop.write("calls.csv", f'call,result\n"{"x" * 200_000}",reached\n')
    usual = csv.field_size_limit(131_072)
    said = shop.run("call-results", str(sheet))
    csv.field_size_limit(usual)
    assert (said.code, "calls.csv cannot be read as CSV" in said.err) == (2, True)
    assert one_sentence(said.err)


def test_a_folder_in_the_place_of_a_file_is_told_as_one(shop: Shop) -> None:
    assert shop.run("apply", "--yes").code == 0
    folder = shop.path / "scenarios"
    for words in (("call-results", str(folder)), ("calls", "--format", "csv", "--out", str(folder))):
        said = shop.run(*words)
        assert (said.code, said.err) == (3, f"tidings: {folder} is a folder; name a file\n")


def test_a_file_in_the_place_of_a_folder_is_told_as_one(shop: Shop) -> None:
    for place in (shop.path / "program.yaml", shop.path / "program.yaml" / "schemas"):
        said = shop.run("schema", str(place))
        wrong = f"tidings: {place}: there is a file where a folder should be; write elsewhere\n"
        assert (said.code, said.err) == (3, wrong)
