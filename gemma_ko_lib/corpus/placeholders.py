"""What stands in a text where something personal stood.

One word for each kind, whether `pii` masked it or the corpus' makers already had: a model
should meet one placeholder for telephone numbers, not five.
"""

# kind -> placeholder. The kinds that `pii` finds:
PLACEHOLDERS = {
    "rrn": "[주민등록번호]",
    "frn": "[외국인등록번호]",
    "phone": "[전화번호]",
    "account": "[계좌번호]",
    "card": "[카드번호]",
    "brn": "[사업자등록번호]",
    "corporation": "[법인등록번호]",
    "passport": "[여권번호]",
    "driver_licence": "[운전면허번호]",
    "email": "[이메일]",
    "url": "[링크]",
    "ip": "[IP주소]",
    "vehicle_plate": "[차량번호]",
    "address": "[주소]",
    "secret": "[비밀키]",
    # Those that it finds on request; corpora mark names too:
    "name": "[이름]",
    "birth_date": "[생년월일]",
    # Those that only a de-identified corpus marks:
    "affiliation": "[소속]",
    "company": "[회사명]",
    "number": "[번호]",
    "other": "[비식별]",
}
