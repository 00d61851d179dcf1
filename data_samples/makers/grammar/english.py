"""Rules of English, for what a model forgets while it learns Korean (after BLiMP, 1912.00582)."""

from data_samples.makers.grammar.lexicon import table, words

TABLES = {
    "person": table(
        "one many",
        """teacher, teachers; doctor, doctors; farmer, farmers; child, children; singer, singers;
        student, students; woman, women; man, men; guest, guests; nurse, nurses; driver, drivers;
        girl, girls; boy, boys; neighbour, neighbours; painter, painters; writer, writers""",
    ),
    "thing": table(
        "one many",
        """book, books; letter, letters; cake, cakes; picture, pictures; chair, chairs; coat, coats;
        lamp, lamps; basket, baskets; key, keys; ticket, tickets; stone, stones; shirt, shirts;
        bottle, bottles; mirror, mirrors; blanket, blankets; candle, candles""",
    ),
    "habit": table(
        "base third",
        """sing, sings; walk, walks; cook, cooks; swim, swims; work, works; sleep, sleeps;
        dance, dances; laugh, laughs; travel, travels; run, runs; read, reads; drive, drives""",
    ),
    "spot": words("bridge, river, station, school, market, lake, church, garden, harbour, hill"),
    "trait": words("tired, happy, busy, quiet, polite, hungry, angry, late, ready, nervous, sad"),
    "she": words("Mary, Anna, Susan, Clara, Emma, Julia, Nora, Helen, Alice, Rosa"),
    "he": words("Peter, David, Martin, Oscar, Henry, Simon, Felix, Daniel, Thomas, Hugo"),
    "reflexive": words("hurt, saw, trusted, admired, blamed, taught, washed, defended, praised"),
    "past": table(
        "past participle wrong obj",
        """wrote, written, writed, a letter; ate, eaten, eated, an apple;
        took, taken, taked, a photo; broke, broken, breaked, a cup; drew, drawn, drawed, a map;
        gave, given, gived, a speech; chose, chosen, choosed, a gift; stole, stolen, stealed, a car;
        wore, worn, weared, a hat; drove, driven, drived, a truck; threw, thrown, throwed, a ball;
        saw, seen, seed, a film; sang, sung, singed, a song; drank, drunk, drinked, some tea;
        grew, grown, growed, a rose; spoke, spoken, speaked, French; rode, ridden, rided, a horse;
        hid, hidden, hided, a coin""",
    ),
    "do": table(
        "base past third ing part obj",
        """buy, bought, buys, buying, bought, a ticket; see, saw, sees, seeing, seen, the film;
        find, found, finds, finding, found, a coin; make, made, makes, making, made, a cake;
        eat, ate, eats, eating, eaten, an orange; write, wrote, writes, writing, written, a story;
        take, took, takes, taking, taken, the bus; sing, sang, sings, singing, sung, a song;
        draw, drew, draws, drawing, drawn, a horse; drive, drove, drives, driving, driven, a van;
        choose, chose, chooses, choosing, chosen, a coat;
        break, broke, breaks, breaking, broken, a plate; wear, wore, wears, wearing, worn, a scarf;
        speak, spoke, speaks, speaking, spoken, Greek""",
    ),
    "found": words("bought, found, wanted, needed, brought, mended, kept, took, received, liked"),
    "mass": words(
        "water, milk, bread, money, snow, rice, sugar, sand, mud, furniture, luggage, traffic"
    ),
    "to_verb": words("wants, hopes, plans, decided, promised, agreed, refused, managed, expects"),
    "ing_verb": words("enjoys, avoids, finished, keeps, practises, suggested, admitted"),
    "deed": table(
        "base ing",
        """swim, swimming; dance, dancing; cook, cooking; sing, singing; write, writing;
        run, running; travel, travelling; paint, painting; read, reading; drive, driving;
        work, working""",
    ),
    "vowel": words(
        """apple, egg, orange, umbrella, island, old coat, engine, artist, uncle, elephant, animal,
        onion, empty box, hourglass, honest man, iron gate, owl, office, inn"""
    ),
    "consonant": words(
        """book, table, car, lemon, boat, new coat, dog, teacher, cousin, horse, pencil, potato,
        big box, uniform, university, useful tool, European car, unicorn, hotel"""
    ),
    "short": table(
        "more plain",
        """taller, tall; older, old; smaller, small; faster, fast; warmer, warm; colder, cold;
        longer, long; younger, young; cheaper, cheap; stronger, strong; richer, rich""",
    ),
    "long": table(
        "plain wrong",
        """beautiful, beautifuller; careful, carefuller; important, importanter; famous, famouser;
        popular, popularer; patient, patienter; interesting, interestinger; generous, generouser;
        curious, curiouser""",
    ),
    "worth": table(
        "plain wrong",
        """beautiful, beautifuller; expensive, expensiver; useful, usefuller;
        important, importanter; valuable, valuabler; comfortable, comfortabler;
        interesting, interestinger""",
    ),
    "colour": words("red, green, blue, small, large, old, new, heavy, broken, empty, white, black"),
    "when": words("today, this morning, last night, on Monday, in spring, this week, yesterday"),
}

PHENOMENA = {
    "subject_verb_agreement": """
        # the verb agrees with the head of the subject, whatever noun stands between
        The {person.one} [{habit.third}|{habit.base}] every day.
        The {person.many} [{habit.base}|{habit.third}] every day.
        The {person.one} near the {spot} [is|are] {trait}.
        The {person.many} near the {spot} [are|is] {trait}.
        The {person.one} with the {thing.many} [was|were] {trait}.
        The {person.many} with the {thing.one} [were|was] {trait}.
        The {person.one} [has|have] lost the {thing.one}.
        The {person.many} [have|has] lost the {thing.one}.
    """,
    "reflexive": """
        # a reflexive agrees with the subject
        {she} {reflexive} [herself|himself] {when}.
        {he} {reflexive} [himself|herself] {when}.
        The {person.many} {reflexive} [themselves|himself].
        The {person.many} {reflexive} [themselves|herself] {when}.
        {she} and {he} {reflexive} [themselves|itself].
        {he} [himself|themselves] found the {thing.one}.
        I {reflexive} [myself|themselves] {when}.
        We {reflexive} [ourselves|himself] {when}.
    """,
    "determiner_noun": """
        # this and that go with one, these and those with several
        {she} bought [this|these] {thing.one}.
        {she} bought [these|this] {thing.many}.
        {he} found [that|those] {thing.one} near the {spot}.
        {he} found [those|that] {thing.many} near the {spot}.
        [This|These] {colour} {thing.one} belongs to {she}.
        [These|This] {colour} {thing.many} belong to {she}.
        {she} needs [one|two] {thing.one}.
        {she} needs [two|one] {thing.many}.
    """,
    "irregular_past": """
        # irregular verbs take no -ed
        {she} [{past.past}|{past.wrong}] {past.obj} {when}.
        The {person.one} [{past.past}|{past.wrong}] {past.obj}.
        # the perfect takes the participle, the simple past does not
        {he} has [{past.participle}|{past.past}] {past.obj}.
        The {person.many} have [{past.participle}|{past.past}] {past.obj}.
        {she} [{past.past}|{past.participle}] {past.obj} {when}.
    """,
    "auxiliary": """
        # do, will and can take the base form, have the participle, be the -ing form
        {she} did not [{do.base}|{do.past}] {do.obj}.
        {he} does not [{do.base}|{do.third}] {do.obj}.
        {she} will [{do.base}|{do.past}] {do.obj}.
        {he} can [{do.base}|{do.ing}] {do.obj}.
        The {person.one} is [{do.ing}|{do.base}] {do.obj}.
        The {person.many} have [{do.part}|{do.base}] {do.obj}.
        {she} has already [{do.part}|{do.ing}] {do.obj}.
        The {person.many} were [{do.ing}|{do.past}] {do.obj}.
    """,
    "polarity": """
        # ever, any and yet stand with what is denied
        [Nobody|Somebody] near the {spot} has ever seen the {thing.one}.
        [No|Some] {person.many} have ever lived near the {spot}.
        {she} has [never|often] found any {thing.many} near the {spot}.
        {he} has [never|always] sold any {thing.many}.
        {she} [didn't|did] find any {thing.many} {when}.
        {he} found [some|any] {thing.many} near the {spot}.
        The {person.one} [hasn't|has] arrived yet.
        The {person.one} has [already|yet] found the {thing.one}.
    """,
    "quantifier": """
        # many and few go with what is counted, much and little with what is not
        {she} bought [many|much] {thing.many}.
        {he} has too [many|much] {thing.many}.
        {she} needs [much|many] more {mass}.
        There was too [much|many] {mass} near the {spot}.
        There were [few|little] {thing.many} in the shop.
        There was [little|few] {mass} left.
        [Every|All] {person.one} near the {spot} was {trait}.
        [All|Every] {person.many} near the {spot} were {trait}.
        [Each|Both] {person.one} has a {colour} {thing.one}.
        [Both|Each] {person.many} have a {colour} {thing.one}.
    """,
    "filler_gap": """
        # after what and who something is missing, after that nothing is
        I know [what|that] {she} {found}.
        I know [that|what] {she} {found} the {thing.one}.
        The {person.one} knows [what|that] {he} {found} {when}.
        The {person.one} knows [that|what] {he} {found} the {thing.one} {when}.
        # what the relative clause leaves out is not said again
        This is the {thing.one} that {she} {found} [{when}|it {when}].
        What did {he} [say that {she}|say it {she}] {found}?
    """,
    "complement": """
        # some verbs are followed by to and the base form, others by -ing
        {she} {to_verb} [to {deed.base}|{deed.ing}] near the {spot}.
        {he} {ing_verb} [{deed.ing}|to {deed.base}] near the {spot}.
        The {person.one} {to_verb} [to {deed.base}|{deed.ing}].
        The {person.one} {ing_verb} [{deed.ing}|to {deed.base}].
    """,
    "article": """
        # an before a vowel that is heard, a before a consonant
        {she} saw [an|a] {vowel} {when}.
        {he} saw [a|an] {consonant} {when}.
        There was [an|a] {vowel} near the {spot}.
        There was [a|an] {consonant} near the {spot}.
    """,
    "pronoun_case": """
        # the subject is I, he, she, they, the object me, him, her, them
        [He|Him] {found} the {thing.one} {when}.
        [They|Them] {found} the {thing.many} {when}.
        The {person.one} saw [him|he] near the {spot}.
        The {person.one} saw [them|they] near the {spot}.
        {she} gave [me|I] the {thing.one}.
        {she} gave [us|we] the {thing.many} {when}.
        [She|Her] was {trait} {when}.
        [We|Us] were {trait} {when}.
    """,
    "comparison": """
        # short adjectives take -er, long ones more
        {she} is [{short.more}|more {short.plain}] than {he}.
        {she} is much [{short.more}|more {short.more}] than the {person.one}.
        The {colour} {thing.one} is [more {worth.plain}|{worth.wrong}] than the {thing2.one}.
        {he} is [more {long.plain}|{long.wrong}] than {she}.
        {he} is as [{short.plain}|{short.more}] as {she}.
        {he} is [{short.more}|{short.plain}] than {she}.
    """,
    "word_order": """
        # an adjective stands before its noun
        {she} bought a [{colour} {thing.one}|{thing.one} {colour}] {when}.
        # a question puts the auxiliary before the subject, a quoted one does not
        Where [did {she}|{she} did] find the {thing.one}?
        When [will {he}|{he} will] sell the {thing.one}?
        I wonder where [{she} was|was {she}] {when}.
        # not follows the auxiliary
        The {person.one} [has not|not has] found the {thing.one}.
        {he} [could not|not could] find the {spot}.
        # the object follows the verb
        {she} [{found} the {thing.one}|the {thing.one} {found}] {when}.
    """,
}
