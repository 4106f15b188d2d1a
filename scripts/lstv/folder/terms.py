"""What series and study names say, in English, German, French, Spanish, Portuguese, Italian, Polish, Turkish, Russian,
Chinese, Japanese and Korean.

Names are free text and often wrong, so ``choose`` asks them only where geometry and sequence timing leave a question.
All patterns run on ``normalise``d text. A word boundary is "no Latin letter next to it", because ``\\b`` sees none between
a Chinese character and a Latin letter or around an underscore.
"""

from __future__ import annotations

import re
import unicodedata


def normalise(text: str) -> str:
    """Lower case, full-width forms and accents folded, separators to single spaces: "T2_TSE-Säg" -> "t2 tse sag"."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text)).casefold()
    # only Latin letters lose their accents: Cyrillic short i and voiced kana are letters of their own
    folded = re.sub("([a-z])[\u0300-\u036f]+", r"\1", folded)
    folded = unicodedata.normalize("NFC", folded)
    return " ".join(re.sub(r"[\s_\-./,;:()\[\]\\|^]+", " ", folded).split())


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


def _word(*words: str) -> str:
    """Any of the words with no Latin letter or digit on either side."""
    return rf"(?<![a-z0-9])(?:{'|'.join(words)})(?![a-z0-9])"


def _stem(*stems: str) -> str:
    """Any of the stems at the beginning of a word: a name of another kind may hold their letters."""
    return rf"(?<![a-z])(?:{'|'.join(stems)})"


SAGITTAL = _any(
    _stem("sagit", "saggit"), r"(?<![a-z])sag(?![e-z])", "矢状", "シャジョウ", "сагит", "시상", _stem("strzalk")
)
LOCALIZER = _any(_stem("locali[sz]", "lokali[sz]"), r"(?<![a-z])loc(?![a-z])", _word("scout", "scouts?", "survey"),
                 _stem("topogr"), "three plane", "3 ?plane", "3 ?pl(?![a-z])", "plan ?scan", _stem("repera"), "定位",
                 "位置決め", "ロケ", "локал", "위치")  # fmt: skip

STIR = _any(r"stir(?![a-z])", r"tirm(?![a-z])", "short ?tau", "short ?ti(?![a-z])", "tir2d", "стир")
T2_STAR = _any(r"t2 ?\*", "t2 ?star", _word("medic", "merge", "swi", "swan", "me2d", "m ffe", "t2 ?ffe", "gre"))
T2 = _any(r"(?<![0-9])t2(?![0-9])", r"(?<![0-9])т2(?![0-9])", _word("haste"), _stem("ssfse"), "ss tse", _stem("frfse"))
T1 = _any(r"(?<![0-9])t1(?![0-9])", r"(?<![0-9])т1(?![0-9])")
PROTON = _any(_word("pd", "pdw", "dp"), _stem("proton", "densit"), "пд", "质子", "プロトン")
FLAIR = _any(r"flair(?![a-z])", "dark fluid", "tirm ?dark")
DIFFUSION = _any(
    r"(?<![a-z])dwi", r"(?<![a-z])dti", _stem("diffu"), _word("diff", "adc", "epi", "trace"), "弥散", "拡散", "дифф", "двр",
    "확산")  # fmt: skip
FAT_SUPPRESSED = _any(
    _word("fs", "fatsat", "fat sat", "fatsup", "spair", "spir", "chess"), "fat ?sup",
    "fat ?sat", "fettsupp", "fettges", "sat ?gras", "sat ?grasa", "脂肪抑制", "压脂", "抑脂", "жиро",
    "подавлен")  # fmt: skip
WATER = _any(_word("w", "water", "wasser", "eau", "agua", "acqua", "wateronly"), "水像", "вода")
FAT = _any(_word("f", "fat only", "fat", "fett", "graisse", "grasa", "gordura", "fatonly"), "脂肪像", "жир(?!о)")
IN_PHASE = _any(_word("in", "inphase", "ip", "in ?phase"), "同相")
OPPOSED_PHASE = _any(_word("opp", "op", "out", "oop", "opp ?phase", "out ?of ?phase", "outphase", "opposed"), "反相")
DIXON = _any(r"(?<![a-z])m?dixon", _word("ideal"), "диксон")
SINGLE_SHOT = _any(_word("haste", "ssh", "ss ?tse", "ssfse", "single ?shot"), _stem("ssfse"), "single ?shot")
MYELOGRAPHY = _any(_word("myelo", "mr ?myelo", "myelogram"), r"(?<![a-z])(?:mr)?myelogra", _stem("mielogra"), "миелогра",
                   "ミエロ", "脊髓水成像", "水成像")  # fmt: skip
PROJECTION = _any(_word("mip", "minip", "vr", "volume render"), "thick ?slab")
REFORMATTED = _any(_word("mpr", "reformat", "reformatted", "rfmt", "cpr"), _word("recon", "recons"))
SUBTRACTION = _any(_word("sub", "subtr"), _stem("subtract", "subtrakt", "soustr", "sottraz"))

LUMBAR = "lumbar"
THORACIC = "thoracic"
CERVICAL = "cervical"
WHOLE_SPINE = "whole spine"
OTHER = "another body part"

_LUMBAR = _any(
    _stem("lumb", "lomb(?!ard)", "thoracolumb", "thorakolumb", "dorsolumb", "dorsolomb", "toracolomb", "torakolomb"),
    _stem("cervicolumb"), r"(?<![a-z])l ?s? ?sp(?:ine|n)?(?![a-z])", r"(?<![a-z])l ?spine", r"(?<![a-z])ls ?spine",
    _word("lws", "lwk", "lwz", "lss", "l s", "ls", "l wk"), "lendenwirbel", _stem("ledzw", "bel ?omur"),
    "腰椎", "腰段", "腰骶", "腰部", "腰仙", "поясн", "пкоп", "(?<![а-я])поп(?![а-я])", "люмб", "요추", "요천추")  # fmt: skip
_CERVICAL = _any(
    _stem("cervic", "zervik", "kervik", "cervik", "servik"), _word("cerv"),
    r"(?<![a-z])c ?sp(?:ine|n)?(?![a-z])", r"(?<![a-z])c ?spine",
    _word("hws", "hwk", "cwk", "csp", "c s", "c wk"),
    "halswirbel", _stem("szyj", "boyun"), "頚椎", "颈段", "頸段", "颈髓", "頸髄", "頸椎", "颈椎", "頚部", "颈部", "шейн",
    "(?<![а-я])шоп(?![а-я])", "경추")  # fmt: skip
_THORACIC = _any(
    _stem("thorac", "thorak", "torac", "torak", "dorsal", "dorsol", "dorso ?lumb", "cervicothorac", "cervicodors"),
    _word("thor", "dors"), r"(?<![a-z])t ?sp(?:ine|n)(?![a-z])", r"(?<![a-z])t ?spine",
    r"(?<![a-z])d ?spine",
    _word("bws", "bwk", "thwk", "twk", "t wk", "twz", "t s", "tsp"), "brustwirbel", _stem("piersi", "sirt"),
    "胸椎", "胸段", "грудн",
    "(?<![а-я])гоп(?![а-я])", "흉추")  # fmt: skip
_WHOLE = _any(
    "whole ?sp", "total ?sp", "full ?sp", "entire ?sp", "complete ?sp", "holosp", "tot(?:al)? ?spine", "ganze? ?wirbel",
    "gesamte ?wirbel", _word("gws", "wholespine", "in toto"), "neuroachs", "neuraxis", _word("ctl", "c t l", "ctls", "tls"),
    "rachis (?:entier|complet|total)",
    "columna (?:completa|total|entera)", "coluna (?:total|completa)", "colonna in toto", "rachide in toto", "全脊", "全背骨",
    "весь позв", "всех отделов", "전척추")  # fmt: skip
_OTHER = _any(
    _word("head", "brain", "skull", "knee", "hip", "hips", "shoulder", "ankle", "foot", "wrist", "hand", "elbow", "pelvis",
          "abdomen", "liver", "breast", "heart", "prostate", "si joints?", "isg", "ksg", "neck", "tmj", "orbit", "pituitary",
          "kopf", "knie", "huefte", "hufte", "becken", "genou", "hanche", "bassin", "epaule", "cabeza", "rodilla",
          "cadera", "hombro", "cabeca", "joelho", "quadril", "ombro", "testa", "ginocchio", "anca", "spalla", "bacino"),
    _stem("schadel", "cranio(?! ?caud)", "craneo(?! ?caud)", "cerebr", "cerveau", "encefal", "gehirn"),
    _stem("sacroil", "sakroil", "iliosacr", "iliosakr", "coccy", "steiss"),
    "头颅", "颅脑", "頭部", "頭蓋", "脳", "膝", "肩関節", "肩关节", "股関節", "髋", "骨盤", "骨盆", "головн", "колен",
    "тазобедр", "плечев", "малого таза")  # fmt: skip


def regions(text: str) -> frozenset[str]:
    """Body regions a name speaks of; empty where it names none. "thoracolumbar" gives two."""
    text = normalise(text)
    table = ((LUMBAR, _LUMBAR), (THORACIC, _THORACIC), (CERVICAL, _CERVICAL), (WHOLE_SPINE, _WHOLE), (OTHER, _OTHER))
    found = frozenset(name for name, pattern in table if pattern.search(text))
    return found - {OTHER} if len(found) > 1 else found


_WORDS = """
t1 t1w t1wi t2 t2w t2wi t2* t2wt pd pdw dp stir tirm flair dwi adc dti epi gre ffe medic merge swi dixon ideal
haste ssfse tse fse se ir spc space cube vista blade propeller frfse irfse turbo fs fatsat fat sat spair spir
water wasser eau agua w f in opp op ip out phase sag sagittal sagital sagittale sagittaal sagitale ax axial
axiale tra trans transversal cor coronal coronale frontal localizer localiser lokalizer localizador scout survey
loc topogram mpr mip sub subtraction recon reformat myelo myelography 2d 3d mm native post pre gd km contrast
contraste lumbar lumbal lumbale lombar lombaire lombare lomber lumbosacral lumbosacra lombosacral lws lwk lss ls
lsp lspine l cervical cervicale cspine hws hwk c thoracic thorakal thoracique toracica dorsal dorsale tspine bws
t whole total full entire complete spine spinal wirbelsaule lendenwirbelsaule halswirbelsaule brustwirbelsaule
rachis columna coluna colonna rachide vertebral vertebrale region mr mri irm rm rmn mrt nmr with without and de
la le du the т1 т2 мрт сагиттальный сагиттальная сагиттальные саг сагит аксиальный аксиальная коронарный стир
поясничный поясничного крестцовый отдел отдела позвоночника позвоночник пкоп поп шоп гоп локалайзер lsspine
sagt2 t2sag
"""
_VOCABULARY = frozenset(_WORDS.split())
_EAST_ASIAN = re.compile(
    "(?:矢状位?断?|冠状位?|軸位|轴位|横断面?|水平断|腰椎|腰骶椎?|頚椎|頸椎|颈椎|胸椎|全脊柱|脊柱|脂肪抑制|压脂|抑脂|像|位|平扫|定位"
    "|位置決め|시상|축상|관상|요추|경추|흉추)+"
)
_SHORT_NUMBER = re.compile(r"\d{1,3}(?:mm|d)?")
_RUN = re.compile("[a-z0-9*]+|[\u0400-\u04ff0-9]+|[\u3040-\u30ff\u3400-\u9fff]+|[\uac00-\ud7af]+|[^ ]")


def technical_words(text: str) -> str:
    """The technical vocabulary in a name; whatever else it holds becomes "_".

    Free text can hold a person's name or a date; what this table does not know does not leave the machine.
    """
    words = [word if _technical(word) else "_" for word in _RUN.findall(normalise(text))]
    return " ".join(word for index, word in enumerate(words) if word != "_" or words[index - 1 : index] != ["_"])


def _technical(word: str) -> bool:
    return word in _VOCABULARY or bool(_SHORT_NUMBER.fullmatch(word) or _EAST_ASIAN.fullmatch(word))
