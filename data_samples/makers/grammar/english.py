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
    "spot": words("bridge, river, station, school, market, lake, church, garden, harbour, hill"),
    "trait": words("tired, happy, busy, quiet, polite, hungry, angry, late, ready, nervous, sad"),
    "she": words("Mary, Anna, Susan, Clara, Emma, Julia, Nora, Helen, Alice, Rosa"),
    "he": words("Peter, David, Martin, Oscar, Henry, Simon, Felix, Daniel, Thomas, Hugo"),
    "reflexive": words("hurt, saw, trusted, admired, blamed, taught, washed, defended, praised"),
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
    # What nobody does for somebody: "was bought a ticket" is right.
    "done": table(
        "part ing obj",
        """crossed, crossing, the road; seen, seeing, the film; climbed, climbing, a hill;
        watched, watching, the birds; eaten, eating, an orange; ridden, riding, a horse;
        taken, taking, the bus; drunk, drinking, some tea; entered, entering, the room;
        driven, driving, a van; hidden, hiding, a coin; broken, breaking, a plate;
        worn, wearing, a scarf; spoken, speaking, Greek""",
    ),
    "found": words("bought, found, wanted, needed, brought, mended, kept, took, received, liked"),
    "to_verb": words("longs, hopes, plans, decided, pretended, agreed, refused, managed, wishes"),
    "ing_verb": words("enjoys, avoids, finished, keeps, misses, suggested, admitted"),
    "deed": table(
        "base ing",
        """swim, swimming; dance, dancing; cook, cooking; sing, singing; write, writing;
        run, running; travel, travelling; paint, painting; read, reading; drive, driving;
        work, working""",
    ),
    # Bases that are not nouns of what one can be good at, as work is.
    "craft": table(
        "base ing",
        """swim, swimming; bake, baking; cook, cooking; sing, singing; write, writing;
        run, running; teach, teaching; sew, sewing; read, reading; drive, driving;
        listen, listening""",
    ),
    "vowel": words(
        """apple, egg, orange, umbrella, island, old coat, engine, artist, uncle, elephant, animal,
        onion, empty box, hourglass, honest man, iron gate, owl, office, inn"""
    ),
    "consonant": words(
        """book, table, car, lemon, boat, new coat, dog, teacher, cousin, horse, pencil, potato,
        big box, uniform, university, useful tool, European car, unicorn, hotel"""
    ),
    "colour": words("red, green, blue, small, large, old, new, heavy, broken, empty, white, black"),
    "when": words("today, this morning, last night, on Monday, in spring, this week, yesterday"),
    "habit": table(
        "base third",
        """sing, sings; walk, walks; cook, cooks; swim, swims; work, works; sleep, sleeps;
        dance, dances; laugh, laughs; travel, travels; run, runs; read, reads; drive, drives""",
    ),
    "mass": words("water, milk, bread, money, snow, rice, sugar, sand, mud, furniture, luggage"),
    "past": table(
        "past participle obj",
        """wrote, written, a letter; ate, eaten, an apple;
        took, taken, a photo; broke, broken, a cup;
        drew, drawn, a map; gave, given, a speech; chose, chosen, a gift; stole, stolen, a car;
        wore, worn, a hat; drove, driven, a truck; threw, thrown, a ball; saw, seen, a film;
        sang, sung, a song; drank, drunk, some tea; grew, grown, a rose; spoke, spoken, French;
        rode, ridden, a horse; hid, hidden, a coin""",
    ),
    "degree": table(
        "plain more most",
        """tall, taller, tallest; old, older, oldest;
        small, smaller, smallest; fast, faster, fastest;
        warm, warmer, warmest; cold, colder, coldest; short, shorter, shortest;
        young, younger, youngest;
        brave, braver, bravest; strong, stronger, strongest; rich, richer, richest""",
    ),
    "quality": table(
        "plain more most",
        """big, bigger, biggest; old, older, oldest; small, smaller, smallest;
        new, newer, newest; clean, cleaner, cleanest; light, lighter, lightest;
        plain, plainer, plainest; nice, nicer, nicest; cheap, cheaper, cheapest;
        fine, finer, finest; rare, rarer, rarest""",
    ),
}

PHENOMENA = {
    "subject_verb_agreement": """
        # the verb agrees with the head of the subject, whatever noun stands between
        The {person.one} [{habit.third}|{habit.base}] every day.
            / The {person.many} [{habit.base}|{habit.third}] every day.
        The {person.one} near the {spot} [is|are] {trait}.
            / The {person.many} near the {spot} [are|is] {trait}.
        The {person.one} with the {thing.many} [was|were] {trait}.
            / The {person.many} with the {thing.many} [were|was] {trait}.
        The {person.one} with the {thing.one} [was|were] {trait}.
            / The {person.many} with the {thing.one} [were|was] {trait}.
        The {person.one} [has|have] lost the {thing.one}.
            / The {person.many} [have|has] lost the {thing.one}.
        The {person.one} by the {spot} [does|do] not sing.
            / The {person.many} by the {spot} [do|does] not sing.
    """,
    "reflexive": """
        # a reflexive agrees with the subject
        {she} {reflexive} [herself|himself] {when}. / {he} {reflexive} [himself|herself] {when}.
        The {person.many} {reflexive} [themselves|himself] {when}.
            / {he} {reflexive} [himself|themselves] {when}.
        The {person.many} {reflexive} [themselves|herself] {when}.
            / {she} {reflexive} [herself|themselves] {when}.
        I {reflexive} [myself|ourselves] {when}. / We {reflexive} [ourselves|myself] {when}.
        I {reflexive} [myself|himself] {when}. / {he} {reflexive} [himself|myself] {when}.
        We {reflexive} [ourselves|themselves] {when}.
            / They {reflexive} [themselves|ourselves] {when}.
    """,
    "determiner_noun": """
        # this and that go with one, these and those with several
        {she} bought [this|these] {thing.one}. / {she} bought [these|this] {thing.many}.
        {he} found [that|those] {thing.one} near the {spot}.
            / {he} found [those|that] {thing.many} near the {spot}.
        {she} has lost [this|these] {colour} {thing.one}.
            / {she} has lost [these|this] {colour} {thing.many}.
        {he} needs [one|two] {thing.one}. / {he} needs [two|one] {thing.many}.
        {she} sold this [{thing.one}|{thing.many}]. / {she} sold these [{thing.many}|{thing.one}].
        {he} saw those [{person.many}|{person.one}]. / {he} saw that [{person.one}|{person.many}].
    """,
    "irregular_past": """
        # the perfect takes the participle, the simple past does not
        {she} has [{past.participle}|{past.past}] {past.obj}.
            / {she} once [{past.past}|{past.participle}] {past.obj}.
        The {person.many} have [{past.participle}|{past.past}] {past.obj}.
            / The {person.many} all [{past.past}|{past.participle}] {past.obj}.
        {he} had already [{past.participle}|{past.past}] {past.obj}.
            / {he} suddenly [{past.past}|{past.participle}] {past.obj}.
        Have they [{past.participle}|{past.past}] {past.obj}?
            / I know they [{past.past}|{past.participle}] {past.obj}.
    """,
    "auxiliary": """
        # do, will and can take the base form, have the participle, be the -ing form
        {she} did not [{do.base}|{do.past}] {do.obj}. / {she} never [{do.past}|{do.base}] {do.obj}.
        {he} does not [{do.base}|{do.third}] {do.obj}. / {he} often [{do.third}|{do.base}] {do.obj}.
        {he} can [{do.base}|{do.ing}] {do.obj}. / {he} is [{do.ing}|{do.base}] {do.obj}.
        {she} has [{done.part}|{done.ing}] {done.obj}.
            / {she} was [{done.ing}|{done.part}] {done.obj}.
        They have [{do.part}|{do.base}] {do.obj}. / They will [{do.base}|{do.part}] {do.obj}.
        The {person.many} were [{do.ing}|{do.base}] {do.obj}.
            / The {person.many} may [{do.base}|{do.ing}] {do.obj}.
    """,
    "polarity": """
        # ever, any, either and yet stand with what is denied
        Nobody near the {spot} [ever|sometimes] sings.
            / Somebody near the {spot} [sometimes|ever] sings.
        {she} found hardly [any|some] {thing.many}. / {she} found [some|any] {thing.many} at last.
        {she} did not see the {thing.one}, and {he} did not [either|too].
            / {she} saw the {thing.one}, and {he} did [too|either].
        The {person.one} has not found the {thing.one} [yet|already].
            / The {person.one} has found the {thing.one} [already|yet].
        Nobody near the {spot} saw [anything|something].
            / Suddenly somebody near the {spot} saw [something|anything].
    """,
    "quantifier": """
        # many and few go with what is counted, much and little with what is not
        {he} has too [many|much] {thing.many}. / {he} has too [much|many] {mass}.
        There were so [many|much] {thing.many}! / There was so [much|many] {mass}!
        {she} had very [few|little] {thing.many}. / {she} had very [little|few] {mass}.
        # every and each go with one, all and both with several
        I think [every|all] {person.one} is {trait}.
            / I think [all|every] {person.many} are {trait}.
        I know [each|both] {person.one} has a {thing.one}.
            / I know [both|each] {person.many} have a {thing.one}.
    """,
    "filler_gap": """
        # after what something is missing, after that nothing is
        I know [what|that] {she} {found}. / I know [that|what] {she} {found} the {thing.one}.
        The {person.one} knows [what|that] {he} {found} {when}.
            / The {person.one} knows [that|what] {he} {found} the {thing.one} {when}.
        {she} remembers [who|that] {found} the {thing.one}.
            / {she} remembers [that|who] {he} {found} the {thing.one}.
        {he} forgot [where|what] {she} {found} the {thing.one}.
            / {he} forgot [what|where] {she} {found}.
    """,
    "complement": """
        # some verbs are followed by to and the base form, others by -ing
        {she} {to_verb} [to {deed.base}|{deed.ing}]. / {she} {ing_verb} [{deed.ing}|to {deed.base}].
        The {person.one} {to_verb} [to {deed.base}|{deed.ing}] near the {spot}.
            / The {person.one} {ing_verb} [{deed.ing}|to {deed.base}] near the {spot}.
        {he} always {to_verb} [to {deed.base}|{deed.ing}] here.
            / {he} always {ing_verb} [{deed.ing}|to {deed.base}] here.
        # to before a base form, before -ing a preposition
        {she} is ready to [{craft.base}|{craft.ing}].
            / {she} is good at [{craft.ing}|{craft.base}].
    """,
    "article": """
        # an before a vowel that is heard, a before a consonant
        {she} saw [an|a] {vowel} {when}. / {she} saw [a|an] {consonant} {when}.
        There was [an|a] {vowel} near the {spot}. / There was [a|an] {consonant} near the {spot}.
        {he} has [an|a] {vowel}. / {he} has [a|an] {consonant}.
        It is not [an|a] {vowel}. / It is not [a|an] {consonant}.
    """,
    "pronoun_case": """
        # the subject is I, he, she, they, the object me, him, her, them
        I know that [he|him] {found} the {thing.one}. / I know that {she} saw [him|he] {when}.
        I hope that [they|them] {found} the {thing.one}. / I hope that {he} saw [them|they] {when}.
        {she} says that [we|us] {found} the {thing.one}. / {she} says that {he} saw [us|we] {when}.
        {he} knows that [I|me] {found} the {thing.one}. / {he} knows that {she} saw [me|I] {when}.
    """,
    "comparison": """
        # than asks for -er, as for the plain form, of all for -est
        {he} is [{degree.more}|{degree.plain}] than {she}.
            / {he} is as [{degree.plain}|{degree.more}] as {she}.
        {she} is much [{degree.more}|{degree.plain}] than {he}.
            / {she} is very [{degree.plain}|{degree.more}].
        This {thing.one} is the [{quality.most}|{quality.more}] of all.
            / This {thing.one} is [{quality.more}|{quality.most}] than mine.
        Of the ten, {he} is the [{degree.most}|{degree.plain}].
            / To me, {he} is too [{degree.plain}|{degree.most}].
    """,
    "word_order": """
        # a question puts the auxiliary before the subject, a quoted one does not
        Where [is {she}|{she} is] now? / I wonder where [{she} is|is {she}] now.
        When [will {he}|{he} will] sell the {thing.one}?
            / I know when [{he} will|will {he}] sell the {thing.one}.
        Why [has {she}|{she} has] sold the {thing.one}?
            / I ask why [{she} has|has {she}] sold the {thing.one}.
        How [can {he}|{he} can] find the {spot}? / I see how [{he} can|can {he}] find the {spot}.
    """,
}
