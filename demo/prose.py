"""Long text that has nothing to do with any clip: written for this project, about rooms, rules, paper and cloth.

Knows neutral sentences. Does not know stimuli; none of the sentences names anything that a clip may show or sound like.
"""

from __future__ import annotations

import random

CHARACTERS_PER_TOKEN = 4.9  # of this English prose, with a vocabulary of about 50,000 pieces

SENTENCES: tuple[str, ...] = tuple(
    """
The committee met on Tuesday to discuss the colour of the new curtains.
Every drawer in the cabinet carries a small label with a number and a date.
Visitors are kindly asked to leave their coats on the second floor.
The table was made of oak and had stood in the same corner for forty years.
A good recipe for bread needs flour, salt, yeast and a little patience.
The corridor leads to a reading room with tall shelves and green lamps.
Applications must be handed in by the end of the month, in an envelope without a name.
The carpet was chosen because it hides the dust better than the old one did.
Most of the letters in the archive were written with a steel pen on thin paper.
The lecture on medieval trade has been moved to the larger hall.
Please fold the blankets and return them to the chest when you are done.
The catalogue lists four hundred items, of which about thirty have been lost.
A square of linen was sewn onto the sleeve to cover the hole.
The museum shop sells postcards, pencils and a short guide in three languages.
In the third chapter the author explains how prices were fixed by the guilds.
The window frames were painted white and then, a year later, grey.
Nobody could remember who had ordered the second set of spoons.
The garden bench was repaired with two new planks and a handful of screws.
The survey asked four hundred households how often they mend their clothes.
Sugar dissolves faster in hot tea than in cold tea.
The treasurer read out the figures slowly and twice.
A map of the building hangs next to the entrance, slightly out of date.
The roof tiles were numbered before they were taken down.
Her grandmother kept buttons in a jar, sorted by size rather than by shade.
The contract runs for five years and can be extended once.
On the shelf stood three volumes of poetry and a dictionary without a cover.
The students were given a week to compare the two translations.
A new regulation limits the height of shop signs in the old quarter.
The soup was seasoned with parsley, pepper and a pinch of nutmeg.
Two of the chairs are older than the house in which they stand.
The ledger shows that wool was more expensive that year than the year before.
The plumber's invoice arrived in March and was paid in May.
An index at the back of the volume helps readers to find names and places.
The wallpaper had a pattern of small leaves that repeated every forty centimetres.
Members may borrow up to six books and keep them for four weeks.
The minutes of the meeting were approved without any changes.
The bricks were laid in a pattern known from other houses in the region.
A jug of lemonade and a plate of biscuits stood on the sideboard.
The exhibition shows how spectacles were made in the eighteenth century.
The city council voted for narrower pavements and wider flower beds.
He measured the shelf three times and still cut the board too short.
The old coins were wrapped in tissue and packed in a wooden box.
Each page of the register has space for twenty entries.
The mathematics prize went to an essay about knots.
The tailor recommended a heavier fabric for the winter jacket.
Lentils should be rinsed before they are put into the pot.
The office closes at four on Fridays and stays closed until Monday.
The painter mixed her greens from two blues and a warm yellow.
A staircase of sixty steps connects the cellar with the attic.
The questionnaire has nine pages, the last of which is empty.
Several maps of the valley disagree about the position of the chapel.
The baker's apprentice learned to weigh the dough by hand.
Tickets are valid for one day and cannot be exchanged.
The statue in the courtyard has lost its left hand.
A good chalk line is straight, thin and easy to wipe away.
The grammar of the language has three genders and no articles.
The furniture was insured for more than it had cost.
The porcelain cups were stacked in pairs with felt in between.
Her thesis describes how villages shared their pastures.
The envelope contained a receipt, two stamps and a pressed flower.
The school library received a donation of atlases.
The quarterly report devotes eleven pages to office supplies.
Cotton shrinks a little the first time that it is washed.
The mayor opened the new staircase by cutting a ribbon.
A pinch of salt brings out the taste of the chocolate.
The walls of the study were lined with cork.
The architect had drawn the kitchen twice as large as it was built.
The philosopher distinguished between rules and habits.
The inventory counts nineteen lamps, though only seventeen were found.
The sweater was knitted from the sleeves towards the middle.
An old proverb says that paper is patient.
The pharmacist keeps the powders on the upper shelf.
The hotel offers rooms with a desk, a lamp and a view of the yard.
All measurements in this table are given in millimetres.
The deadline was extended because the forms had been misprinted.
The tiles of the bathroom were laid by two brothers from the next village.
The gardener wrote down when each rose had been planted.
A thin layer of varnish protects the wood from stains.
The novel begins in a waiting room and ends in the same waiting room.
The clerk stamped the documents and placed them in the tray on the left.
The seating plan was changed twice before the dinner.
The cheese ripens for eight months on boards of spruce.
The historian found the missing page inside another volume.
Nine of the twelve jurors preferred the second design.
The mortar has to dry for two days before it is painted.
The shop assistant wrapped the vase in four layers of newspaper.
The philatelic society meets in the back room of the inn.
The average size of a household fell in every decade of the century.
The cushions were filled with feathers until the fifties.
Potatoes keep longest in a dark and dry cellar.
The notary read the will in a low and even tone.
The bridge of the spectacles can be adjusted with a small screw.
The syllabus covers logic, geometry and the history of printing.
A wooden spoon does not scratch the bottom of the pan.
The ministry published a list of approved paints.
The annual fee is due in January and includes the yearbook.
The doorknob was replaced with one of brass.
The poem has fourteen lines, and the last two rhyme.
The budget for paper clips was not used up this year.
The tablecloth was bleached and ironed before the feast.
The cook prefers shallots, which are milder than onions.
The parcel was returned because the address was incomplete.
The scaffolding will remain in place until the end of October.
The librarian glued the loose pages back in their order.
The lease forbids tenants to paint the shutters.
The essay compares two theories of fair taxation.
The shoemaker keeps a wooden last for each of his customers.
The first edition was printed on rough yellow paper.
The recipe can be halved, but the baking time stays the same.
The attic holds boxes of ribbons, hats and theatre programmes.
The census was taken on a Sunday in spring.
A layer of gravel keeps the path firm in winter.
The workshop teaches how to bind a notebook by hand.
The ink had faded to a pale brown along the folds.
The committee will publish its recommendations in the autumn.
The honey was poured into jars and sealed with wax.
The lamp on the landing is switched off at midnight.
The tapestry shows a map of the province with its forty parishes.
The carpenter planed the door until it closed without a gap.
The standard prescribes the thickness of the cardboard.
The almonds are roasted, chopped and stirred into the batter.
The delegates could not agree on the order of the agenda.
The glazier cut the pane a little too narrow.
The lower shelf is reserved for dictionaries.
The new timetable hangs next to the old one.
The translator left the names of the streets as they were.
The upper rows of the theatre are cheaper but harder to reach.
A jar of mustard keeps for several months once it has been opened.
The society awards a small medal for services to local history.
The committee on standards has suggested a shorter word for the same thing.
The rug in front of the sofa was woven by a family in the mountains.
The assistant counted the envelopes and wrote the total on a slip of paper.
Plaster shrinks while it dries, which explains the cracks above the door.
The museum keeps its textiles in flat drawers, away from daylight.
The author thanks her editor, her publisher and an uncle who wished not to be named.
The old measure was a little longer than the one that replaced it.
The menu for the anniversary dinner was printed on grey card.
Most of the shelves were empty when the new tenants moved in.
The examination consists of an essay, a translation and a short interview.
A teaspoon of vinegar keeps the cabbage from losing its colour.
The plan shows a cellar that nobody has been able to find.
The monthly meeting begins with a reading of the rules.
The wardrobe is too wide for the staircase and was built inside the room.
The figures for the third quarter were corrected in a footnote.
The curator hung the smaller portraits on the left of the door.
A dictionary of surnames was compiled by two retired teachers.
The bookbinder prefers thread from flax because it does not stretch.
The questions were written on cards and drawn from a hat.
The veranda was closed with glass in the year of the second renovation.
The shop on the corner sells needles, zips and lining by the metre.
The parliament adjourned without a vote on the proposed spelling.
The basket held apples, a folded napkin and a letter without a date.
Every member receives a copy of the statutes and a key to the cupboard.
The lid of the sugar bowl does not belong to the bowl.
The landlord agreed to pay for half of the new floor.
The glossary explains sixty terms, most of them from law.
The chessboard on the windowsill was missing a single pawn.
The seminar on handwriting takes place in the small room under the roof.
The proofs were returned to the printing house with forty corrections.
""".strip().splitlines()
)


def long_text(characters: int, seed: int = 0) -> str:
    """Whole sentences in an order drawn from `seed`, at least one and at most `characters` characters where possible.

    No sentence comes back before all others have been used.
    """
    rng = random.Random(seed)
    chosen: list[str] = []
    length = 0
    while True:
        for sentence in rng.sample(SENTENCES, len(SENTENCES)):
            if chosen and length + 1 + len(sentence) > characters:
                return " ".join(chosen)
            length += len(sentence) + bool(chosen)
            chosen.append(sentence)


def characters_of(tokens: int) -> int:
    """About how many characters of this prose a model reads as `tokens` tokens."""
    return round(tokens * CHARACTERS_PER_TOKEN)
