"""src/gatepost/system/common_passwords.txt: the passwords that are tried first.

Nobody's leaked list is copied. The file is built from what every published analysis of such lists says: people take a
word or a name, write it twice, put a number, a year or a sign behind it, write digits in a row, or run along the
keyboard. ``WORDS`` are common words, names, teams and the like, in the languages that lead those lists; ``LONG`` are
well-known passwords of 12 characters and more that no rule makes. How good the result is, a test says: it compares the
policy with a list that was made from leaks (``tests/unit/system/test_common_passwords.py``).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[1] / "src" / "gatepost" / "system" / "common_passwords.txt"
MIN_LENGTH: Final = 12

_WORD_TEXT: Final = """
password passwort passw0rd motdepasse contrasena senha parola wachtwoord haslo kodeord salasana sifre parol
qwerty qwertz azerty qwertyuiop asdfgh asdfghjkl zxcvbn zxcvbnm qazwsx qazwsxedc qweasd qweasdzxc asdf asdfasdf qwer
zaqwsx zaq1xsw2 1qaz2wsx 1q2w3e4r q1w2e3r4 1qazxsw2 abcd abcdef abcdefg abcdefgh abcdefghi aaaa abcabc qweqwe asdasd
admin administrator root user guest test testing tester login letmein welcome default changeme secret master access
system server oracle windows linux ubuntu cisco internet computer network database manager support service public
private security iloveyou ilovegod loveyou lovely lover love mylove hello helloworld sunshine princess prince angel
angels baby babygirl babyboy sweetheart sweety honey sugar cookie chocolate banana orange apple cherry peanut butter
pepper ginger coffee whiskey monkey dragon tiger tigger eagle falcon panther shadow wolf bear kitty kitten puppy
dolphin horse mustang chicken turtle snoopy garfield mickey minnie donald pokemon pikachu naruto batman superman
spiderman ironman starwars startrek matrix gandalf hobbit merlin phoenix wizard warrior hunter killer ninja samurai
knight soldier sniper ranger cowboy pirate viking zombie demon devil diablo satan jesus jesuschrist christ heaven
blessed church faith trustno1 freedom liberty peace forever never whatever nothing something everything football
soccer baseball basketball hockey tennis golf golfer cricket rugby liverpool chelsea arsenal barcelona realmadrid
manchester juventus milan yankees lakers cowboys steelers eagles packers redsox celtic rangers ronaldo messi beckham
michael jordan jordan23 michelle jessica jennifer ashley amanda nicole daniel daniela andrew anthony matthew joshua
thomas robert william charles charlie george richard joseph david james john peter martin martina alexander alexandra
alejandro sandra andrea maria mario carlos antonio francisco fernando eduardo roberto miguel natalia natasha nikita
sergey dmitry andrey vladimir ivan olga anastasia samantha stephanie elizabeth victoria isabella sophie sophia olivia
emma hannah rachel rebecca sarah laura lauren melissa vanessa veronica patricia barbara christina christine
christian christopher benjamin jonathan nicholas patrick brandon justin tyler austin dallas london paris berlin
madrid america england germany france canada mexico brasil india pakistan australia russia moscow ukraine poland
polska turkey china japan newyork california florida texas chicago boston denver phoenix1 orlando vegas hollywood
summer winter spring autumn monday friday sunday january february march april june july august september october
november december flower rainbow diamond crystal silver golden purple yellow green black white orange1 red123 blue
ocean river mountain thunder lightning storm rain snow fire water earth moon star sunrise sunset galaxy planet
ferrari porsche mercedes toyota honda nissan yamaha harley corvette camaro chevy ford mazda suzuki subaru bmw audi
guitar music metallica nirvana slipknot eminem beatles elvis madonna rockstar rockyou blink182 greenday linkinpark
google facebook youtube twitter instagram linkedin myspace amazon apple123 samsung nokia iphone android playstation
nintendo minecraft counter counterstrike warcraft starcraft starwars1 halo callofduty fortnite roblox runescape
office company business marketing sales finance project student teacher school college university doctor nurse
family mother father brother sister friend friends bestfriend husband mommy daddy grandma happy smile funny crazy
fuckyou fuckoff asshole bitch sexy sexsex hottie naked pussy penis boobs lesbian marijuana cannabis weed420
tequiero teamo amor amore mariposa estrella corazon bonita hermosa princesa chocolate1 familia hola holahola
jetaime soleil doudou loulou chouchou nicolas camille marseille schatz schatzi liebe ichliebedich sommer hallo
privet lyubov gfhjkm ghbdtn natasha1 marina ekaterina kohana sayang bismillah allah mohammed muhammad ahmed ali
krishna ganesh shiva lakshmi priya rahul saibaba jaimatadi omsairam passpass mailmail sendmail smtp smtpauth relay
postmaster mailserver newsletter outlook exchange yahoo hotmail gmail webmail backup temp temppass temporary
"""

_LONG_TEXT: Final = """
correcthorsebatterystaple thisismypassword thisisapassword mypasswordis mypassword123 notmypassword yourpassword
thepassword1 ilovemyfamily ilovemymother ilovemywife ilovemyself iloveyousomuch iloveyoubaby iloveyouforever
iloveyou4ever jesuslovesme jesusislord ingodwetrust godisgreat123 godisgood1234 lovelovelove hahahahahaha
whatthefuck1 motherfucker fuckyoubitch sonofabitch1 gotohell1234 leavemealone idontknow123 idontcare123
iforgot12345 letmeinplease letmeinnow123 opensesame12 openthedoor1 abracadabra1 supercalifragilisticexpialidocious
administrator1 administration superadmin123 rootpassword adminadmin12 admin1234567 administrador administrateur
manchesterunited liverpoolfc12 realmadrid123 barcelona123 chelseafc123 arsenalfc123 dallascowboys greenbaypackers
bostonredsox newyorkyankees losangeles12 sanfrancisco philadelphia massachusetts northcarolina internazionale
needforspeed counterstrike residentevil finalfantasy grandtheftauto worldofwarcraft leagueoflegends playstation2
playstation3 callofduty4 metalgearsolid assassinscreed angrybirds123 minecraft123 moderncombat transformers
harrypotter1 hermionegranger lordoftherings gameofthrones starwarsfan michaeljackson justinbieber onedirection
avrillavigne hannahmontana britneyspears ledzeppelin1 pinkfloyd123 ironmaiden12 linkinpark12 thebeatles12 acdcacdc1234
jamesbond007 supernatural edwardcullen twilightsaga spongebob123 mickeymouse1 cookiemonster peanutbutter
chocolatecake strawberries watermelon12 butterflies1 sonyericsson motorola1234 stratocaster telecaster12
professional international cosmopolitan telechargement constantinople seniseviyorum ichliebedich sonnenschein
donaudampfschifffahrt schmetterling kartoffelsalat geburtstag12 ilovechocolate qwertyuiop[] 1234567890-= zaq12wsxcde3
1qaz2wsx3edc 1qaz2wsx3edc4rfv 1qazxsw23edc zaq1xsw2cde3 qazwsxedcrfv qazwsxedcrfvtgb qazxswedcvfr q1w2e3r4t5y6
q1w2e3r4t5y6u7i8o9p0 1q2w3e4r5t6y 1q2w3e4r5t6y7u 1q2w3e4r5t6y7u8i 1q2w3e4r5t6y7u8i9o 1q2w3e4r5t6y7u8i9o0p q1w2e3r4t5
123qweasdzxc qweasdzxc123 123qwe123qwe qwe123qwe123 qwerasdfzxcv zxcasdqwe123 asdfqwerzxcv qwertyasdfgh qwertyytrewq
poiuytrewq12 lkjhgfdsa123 mnbvcxzlkjhg gfhjkmgfhjkm yfdbufnjh1234 112233445566 123321123321 123456654321 123454321234
12344321abcd 102030405060 010203040506 121212343434 123123456456 147258369147 159753159753 159357258456 789456123789
741852963741 987654321098 password!@#$ p@ssw0rd1234 pa55word1234 passw0rd1234 p455w0rd1234 password1password
passwordpass passpassword 1234password 123456password 12345qwertyu qwerty1234asdf qwerty12345678 abcd1234abcd
abc123abc123 abc123456789 abcdefg12345 abcdefghijkl abcdefghijklmnopqrstuvwxyz 1a2b3c4d5e6f a1b2c3d4e5f6 aa123456789
asdfghjkl123 asdfghjkl;'a zxcvbnm,./12 !qaz2wsx#edc !@#$%^&*()_+ !@#$%^&*()qw 1!2@3#4$5%6^ qwe!@#123456
"""

WORDS: Final = _WORD_TEXT.split()
LONG: Final = _LONG_TEXT.split()

SUFFIXES: Final = (
    "1", "12", "123", "1234", "12345", "123456", "1234567", "12345678", "123456789", "1234567890", "!", "!!", "123!",
    "1234!", "@123", "@1234", "#123", "321", "007", "69", "666", "777", "111", "000", "01", "11", "99", "2000",
    *map(str, range(2008, 2031)),
)  # fmt: skip
_ROWS: Final = (
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azertyuiop",
    "abcdefghijklmnopqrstuvwxyz",
)
_TAILS: Final = (
    "abc",
    "abcd",
    "qwe",
    "qwer",
    "qaz",
    "qazwsx",
    "asd",
    "zxc",
    "aa",
    "000",
    "10",
    "1011",
    "101112",
    "123",
    "admin",
)
_MOST_COMMON: Final = 90


def build() -> list[str]:
    """Return every line, the rules' own first: words of any length are what a rest is compared with."""
    words = sorted({word for word in WORDS if len(word) >= 4})
    long = {each for each in _generate() if len(each) >= MIN_LENGTH} - set(words)
    return [*words, *sorted(long)]


def render() -> str:
    """Return the file."""
    head = "# Made by tools/common_passwords.py, which says how; do not edit.\n"
    return head + "".join(f"{line}\n" for line in build())


def _generate() -> Iterator[str]:
    yield from LONG
    for place, word in enumerate(WORDS):
        yield word + word
        yield word * 3
        if place < _MOST_COMMON:
            yield from (word + suffix for suffix in SUFFIXES)
            yield from (digits + word for digits in ("123", "1234", "12345", "123456"))
    for row in _ROWS:
        ring = row * 3
        for start in range(len(row)):
            for size in range(MIN_LENGTH, 21):
                yield ring[start : start + size]
                yield ring[::-1][start : start + size]
    for digit in "0123456789":
        yield from (digit * size for size in range(MIN_LENGTH, 21))
    for digits in ("12345", "123456", "1234567", "12345678", "123456789", "1234567890", "123123", "987654321"):
        yield digits + digits[::-1]
        yield digits + digits[-2::-1]
        yield from (digits + tail for tail in (*_TAILS, digits[:-1], digits[:6], digits))
        yield from (head + digits for head in _TAILS)
    for first in WORDS[:40]:
        yield from (first + second for second in WORDS[:40] if first != second)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
